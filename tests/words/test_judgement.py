"""The one judgement: every row is something that a model or a server really writes."""

import pytest

from resources.words.judgement import Verdict, judge

CAPTION = "A red circle moves from left to right."

TAKEN_OFF = {
    # thoughts
    f"<think>The user wants a caption.</think>\n\n{CAPTION}": "The user wants a caption.",
    f"The user wants a caption.\n</think>\n\n{CAPTION}": "The user wants a caption.",
    f"</think>\n\n{CAPTION}": "",
    f"<think>\n\n</think>\n\n{CAPTION}": "",
    f"<THINK>hm</Think>{CAPTION}": "hm",
    f"<thinking>hm</thinking>\n{CAPTION}": "hm",
    f"<thought>hm</thought>{CAPTION}": "hm",
    f"<reasoning>hm</reasoning>{CAPTION}": "hm",
    f"<reflection>hm</reflection>\n{CAPTION}": "hm",
    f'<think time="3s">hm</think>{CAPTION}': "hm",
    f"<seed:think>hm</seed:think>{CAPTION}": "hm",
    f"<longcat_think>hm</longcat_think>{CAPTION}": "hm",
    f"[THINK]hm[/THINK]{CAPTION}": "hm",
    f"[think]hm[/think]{CAPTION}": "hm",
    f"◁think▷hm◁/think▷{CAPTION}": "hm",
    f"◁/think▷{CAPTION}": "",
    f"<|START_THINKING|>hm<|END_THINKING|><|START_RESPONSE|>{CAPTION}<|END_RESPONSE|>": "hm",
    f"<|begin_of_thought|>hm<|end_of_thought|>\n<|begin_of_solution|>{CAPTION}<|end_of_solution|>": "hm",
    f"<unused94>thought\nhm<unused95>{CAPTION}": "hm",
    f"<|channel>thought\nhm<channel|>{CAPTION}<turn|>": "hm",
    f"<think>a<think>b</think>c</think>{CAPTION}": "a\nb\nc",
    f"<think>a<think>b</think>{CAPTION}": "a\nb",
    f"<think>a</think>b</think>{CAPTION}": "a\nb",
    f"<think>a</think><think>b</think>{CAPTION}": "a\nb",
    f"<think>a</think>\n{CAPTION}\n<think>b</think>": "a\nb",
    f"{CAPTION}<think>Wait, was it red?": "Wait, was it red?",
    f"{CAPTION}\n<think>\nWait, was it red?": "Wait, was it red?",
    f"&lt;think&gt;hm&lt;/think&gt;{CAPTION}": "hm",
    f"<think>hm</think><answer>{CAPTION}</answer>": "hm",
    f"hm<answer>{CAPTION}": None,
    f"Thinking: hm\nAnswer: {CAPTION}": "hm",
    f"Here is my thought process:\nhm\nHere is my response:\n{CAPTION}": "hm",
    # gpt-oss
    f"<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>{CAPTION}<|return|>": "hm",
    f"<|channel|>final<|message|>{CAPTION}": "",
    f"analysisThe user wants one.assistantfinal{CAPTION}": "The user wants one.",
    # marks of the format
    f"{CAPTION}<|im_end|>": "",
    f"{CAPTION}</s>": "",
    f"<s>{CAPTION}</s></s>": "",
    f"{CAPTION}<|endoftext|>": "",
    f"{CAPTION}<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nAnd now?": "",
    f"{CAPTION}<|im_end|>\n<|im_start|>user\nAnd now?<|im_end|>": "",
    f"<|im_start|>assistant\n{CAPTION}<|im_end|>": "",
    f"<|start_header_id|>assistant<|end_header_id|>\n\n{CAPTION}": "",
    f"assistant\n\n{CAPTION}": "",
    f"assistant\n{CAPTION}": "",
    f"ASSISTANT: {CAPTION}": "",
    f"Assistant: {CAPTION}": "",
    f"<start_of_turn>model\n{CAPTION}<end_of_turn>": "",
    f"model\n{CAPTION}": "",
    f"<|assistant|>\n{CAPTION}<|user|>": "",
    f"{CAPTION}\nUSER: And now?": "",
    f"<|begin_of_box|>{CAPTION}<|end_of_box|>": "",
    f"<answer><|begin_of_box|>{CAPTION}<|end_of_box|></answer>": "",
    f"{CAPTION}<｜end▁of▁sentence｜>": "",
    f"[INST] {CAPTION} [/INST]": "",
    f"{CAPTION}<end_of_utterance>": "",
    f"{CAPTION}<eos><pad><pad>": "",
    f"{CAPTION}<|im_": "",
    f"```\n{CAPTION}\n```": "",
    f"```text\n{CAPTION}\n```": "",
    # what nobody sees
    f"\u200b{CAPTION}\u200b": "",
    f"\ufeff \n{CAPTION}\n\x00": "",
}


@pytest.mark.parametrize(("written", "thought"), TAKEN_OFF.items())
def test_marks_and_thoughts_come_off_and_are_kept_beside_the_answer(
    written: str, thought: str | None
) -> None:
    judged = judge(written)
    assert (judged.verdict, judged.text) == (Verdict.OK, CAPTION)
    if thought is not None:
        assert judged.details.get("thought", "") == thought


THOUGHT_ONLY = [
    "<think>The user wants a caption. I see a red",
    "<think>The user wants a caption.</think>",
    "<think>",
    "<think></think>\n\n",
    "<thinking>\nhm",
    "[THINK]hm",
    "◁think▷hm",
    "<think>a</think><think>b",
    "hm</think>",
    "<|channel|>analysis<|message|>hm",
    "analysisThe user wants a caption. I see",
    "<|START_THINKING|>hm",
    "<seed:think>hm",
    "<think>hm</think><|im_end|>",
    "<think>hm</think>N/A",
    "<thi",
]


@pytest.mark.parametrize("written", THOUGHT_ONLY)
def test_a_thought_without_an_answer_is_empty(written: str) -> None:
    assert judge(written).verdict is Verdict.EMPTY
    assert judge(written, cut_off=True).verdict is Verdict.EMPTY


NOTHING = (
    """
\u200b|\u200b\ufeff|\u3164|\u2800|\ufffd\ufffd|…|...|.|-|—|""|“”|[]|{}|***|#|?!|。|N/A|n/a|NA|[N/A]|(n/a)|"N/A"|N/A.|null|NULL|None|none.|nil
undefined|[no caption]|[No Caption]|(no caption)|no caption|No caption.|no_caption|<no caption>|No caption available|No caption available.
[No description available]|No description provided.|Caption not available|Description unavailable|caption unavailable|not available|Not applicable
[caption]|<caption>|[insert caption here]|{caption}|[image]|<image>|[video]|(blank)|[empty]|TBD|<|endoftext|>|<|im_end|>|</s>|assistant|assistant\n\n
<|im_start|>assistant|```\n```|There is no caption available|there is no description|nothing|[silence]|<pad><pad>|\\n|no response|[no output]
Keine Beschreibung verfügbar|keine Angabe|k. A.|Keine Bildunterschrift|nicht verfügbar|Aucune description disponible|pas de légende|non disponible
aucune légende|rien|Sin descripción|sin título|no disponible|no hay descripción|ninguna|Sem legenda|sem descrição|não disponível|nenhuma
Nessuna didascalia|nessuna descrizione disponibile|non disponibile|senza titolo|无|暂无描述|没有描述|无可用描述|无字幕|不适用|【无】|なし|説明なし|該当なし
キャプションはありません|不明|없음|설명 없음|캡션이 없습니다|해당 없음|нет|нет описания|описание отсутствует|н/д|подпись отсутствует|[нет подписи]
""".strip()
    .replace("<|", "<\0")
    .replace("|>", "\0>")
    .replace("\n", "|")
    .split("|")
)
NOTHING = ["", " \n", *(one.replace("\0", "|").replace("\\n", "\n") for one in NOTHING)]


@pytest.mark.parametrize("written", NOTHING)
def test_ways_to_say_nothing(written: str) -> None:
    assert judge(written).verdict is Verdict.EMPTY


REFUSALS = (
    """
I'm sorry, but I can't assist with that request.
I’m sorry, I cannot help identify people in images.
Sorry, I can't help with that.
I apologize, but I can't provide a description of this video.
I apologize, but I am unable to provide a caption.
My apologies, but I cannot view images.
I am unable to describe this image.
I cannot provide a description.
I can't provide a caption for this.
I can not see the image.
I don't see any image attached. Could you please upload it?
I don't see an image in your message.
I do not have the ability to view images or videos.
I'm not able to view or analyze videos.
I'm unable to view the images.
I won't be able to help with that.
I must decline to describe this content.
I'd rather not describe this.
Unfortunately, I cannot describe this video.
Unfortunately I'm not able to see the frames you mention.
As an AI language model, I cannot view images.
As a text-based AI, I am unable to see videos.
I'm just a language model and can't help with that.
It seems that the image did not upload.
It looks like you haven't attached an image.
There is no image provided.
No image was provided. Please upload one.
No video has been attached.
Please provide the image you would like me to describe.
Please upload the video again.
Could you please provide more details about the image?
You haven't provided an image.
The image could not be loaded.
The image cannot be displayed.
This content may violate our usage policies.
This image violates our content policy.
Your request was flagged by our moderation system.
I'm afraid I can't do that.
We're sorry, but we cannot process this request.
Thank you for sharing the image, but I can't identify the people in it.
I understand you want a caption, but I cannot help with that.
"I'm sorry, I can't assist with that."
**I'm sorry, but I can't help with that.**
I'm sorry, but there is no image attached to your message.
I'd be happy to help, but I don't see an image. Please upload it.
I cannot provide a list.
It would be inappropriate for me to describe this image.
I refuse to describe this.
I cannot engage with this content.
I'm not comfortable describing this image.
assistant\\n\\nI'm sorry, but I can't help with that.
<think>This is unsafe.</think>I'm sorry, but I can't help with that.
Es tut mir leid, aber ich kann dieses Bild nicht beschreiben.
Tut mir leid, ich kann dabei nicht helfen.
Entschuldigung, aber ich kann diese Anfrage nicht bearbeiten.
Leider kann ich das Video nicht sehen.
Ich kann dieses Bild leider nicht beschreiben.
Ich kann Ihnen dabei nicht helfen.
Ich sehe kein Bild.
Als KI-Sprachmodell kann ich keine Bilder sehen.
Es wurde kein Bild hochgeladen.
Je suis désolé, mais je ne peux pas décrire cette image.
Désolé, je ne peux pas vous aider.
Je ne peux pas fournir de description de cette vidéo.
Je ne vois aucune image.
Malheureusement, je ne suis pas en mesure de voir l'image.
En tant que modèle de langage, je ne peux pas voir d'images.
Aucune image n'a été fournie.
Veuillez télécharger l'image.
Lo siento, pero no puedo ayudar con eso.
Lo siento, no puedo describir esta imagen.
No puedo proporcionar una descripción de este vídeo.
No veo ninguna imagen adjunta.
Lamentablemente, no puedo ver la imagen.
Como modelo de lenguaje, no puedo ver imágenes.
Por favor, sube la imagen.
Desculpe, mas não posso ajudar com isso.
Sinto muito, mas não posso descrever esta imagem.
Não posso fornecer uma descrição deste vídeo.
Infelizmente, não consigo ver a imagem.
Não consigo identificar pessoas em imagens.
Como um modelo de linguagem, não posso ver imagens.
Por favor, envie a imagem.
Mi dispiace, ma non posso descrivere questa immagine.
Mi dispiace, non posso aiutarti con questa richiesta.
Non posso fornire una descrizione di questo video.
Non vedo alcuna immagine allegata.
Purtroppo non sono in grado di vedere il video.
Come modello linguistico, non posso vedere immagini.
抱歉，我无法描述这张图片。
对不起，我不能提供帮助。
很抱歉，我无法协助您完成这个请求。
我无法识别图片中的人物。
我看不到任何图片。
作为一个AI语言模型，我无法查看图片。
您没有上传图片。
请提供图片，我才能描述。
该内容涉及敏感信息，无法回答。
抱歉，我無法描述這張圖片。
申し訳ありませんが、この画像を説明することはできません。
すみませんが、お手伝いできません。
申し訳ございませんが、そのリクエストにはお応えできません。
画像が添付されていません。
この動画の内容を説明することはできません。
죄송합니다. 이 이미지를 설명할 수 없습니다.
죄송하지만 도와드릴 수 없습니다.
저는 이미지를 볼 수 없습니다.
이미지가 첨부되지 않았습니다.
К сожалению, я не могу описать это изображение.
Извините, но я не могу помочь с этим.
Я не могу предоставить описание этого видео.
Я не вижу изображения.
Как языковая модель, я не могу видеть изображения.
Изображение не прикреплено.
""".strip()
    .replace("\\n", "\0")
    .splitlines()
)


@pytest.mark.parametrize("written", [one.replace("\0", "\n") for one in REFUSALS])
def test_refusals_in_ten_languages(written: str) -> None:
    assert judge(written).verdict is Verdict.REFUSED


def test_a_caption_cut_off_is_told_and_kept() -> None:
    judged = judge("A red circle moves from left to", cut_off=True)
    assert (judged.verdict, judged.text) == (Verdict.TRUNCATED, "A red circle moves from left to")
    assert judged.verdict.is_answer


def test_what_came_off_is_in_the_details() -> None:
    judged = judge(f"<think>hm</think>{CAPTION}<|im_end|>")
    assert judged.details == {"thought": "hm", "marks": ["<|im_end|>"]}
    assert judge(CAPTION).details == {}


def test_a_long_description_with_a_reservation_is_kept() -> None:
    written = (
        "I can't identify the people. However, the video shows " + "two men who play chess in a park, " * 12
    )
    assert judge(written).verdict is Verdict.OK


def test_reasons_are_one_line() -> None:
    for written in ("N/A", "<think>a\nb</think>", "", "I'm sorry,\n\nI can't help with that."):
        assert judge(written).reason
        assert "\n" not in judge(written).reason
