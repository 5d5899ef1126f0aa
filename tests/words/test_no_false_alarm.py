"""No ordinary caption is taken for a refusal, an empty answer or a thought: over a thousand, in six languages."""

from itertools import islice, product
from pathlib import Path

import pytest

from resources.words.judgement import Verdict, judge

TRICKY = (Path(__file__).parent / "answers" / "captions.txt").read_text("utf-8").splitlines()

# Who, does what, where, and how the camera or the caption goes on.
GRAMMARS: dict[str, tuple[list[str], list[str], list[str], list[str]]] = {
    "en": (
        ["A man", "Two women", "A small brown dog", "No one but a child", "I see a girl who", "Nobody"],
        ["says sorry", "cannot open the door", "walks slowly", "refuses to eat", "reads a sign", "is unable to stand"],
        [" in a park", " beside the sea", " at night", " in an empty room"],
        [".", "; the camera pans left.", ". No text is visible.", ", but the image stays blurred."],
    ),
    "de": (
        ["Ein Mann", "Zwei Frauen", "Ein kleiner brauner Hund", "Kein Mensch", "Die Assistentin", "Niemand"],
        ["entschuldigt sich", "kann die Tür nicht öffnen", "geht langsam", "will nicht essen", "liest ein Schild"],
        [" in einem Park", " am Meer", " bei Nacht", " in einem leeren Raum", " vor einem Haus"],
        [".", "; die Kamera schwenkt nach links.", ". Es ist kein Text zu sehen.", ", leider ohne Ton.", " und lacht."],
    ),
    "fr": (
        ["Un homme", "Deux femmes", "Un petit chien brun", "Personne", "L'assistante", "Aucun enfant"],
        ["s'excuse", "ne peut pas ouvrir la porte", "marche lentement", "refuse de manger", "lit une pancarte"],
        [" dans un parc", " au bord de la mer", " la nuit", " dans une pièce vide", " devant une maison"],
        [".", " ; la caméra tourne à gauche.", ". Aucun texte n'est visible.", ", mais l'image est floue.", " et rit."],
    ),
    "es": (
        ["Un hombre", "Dos mujeres", "Un perro pequeño", "Nadie", "La asistente", "Ningún niño"],
        ["pide perdón", "no puede abrir la puerta", "camina despacio", "no quiere comer", "lee un cartel"],
        [" en un parque", " junto al mar", " de noche", " en una sala vacía", " ante una casa"],
        [".", "; la cámara gira a la izquierda.", ". No se ve ningún texto.", ", pero la imagen es mala.", " y ríe."],
    ),
    "zh": (
        ["一个男人", "两个女人", "一只小狗", "没有人", "助手", "空荡荡的房间里，一个孩子"],
        ["说对不起", "打不开门", "慢慢地走", "不能站起来", "看着一块牌子"],
        ["，在公园里", "，在海边", "，夜里", "，在一栋房子前", "，旁边没有文字"],
        ["。", "，镜头向左移动。", "，画面很模糊。", "，天空中无云。", "，然后笑了。"],
    ),
    "ru": (
        ["Мужчина", "Женщина", "Маленькая собака", "Никто из детей", "Ассистентка", "Я вижу, как девочка"],
        ["просит прощения", "не может открыть дверь", "медленно идёт", "не хочет есть", "читает табличку"],
        [" в парке", " у моря", " ночью", " в пустой комнате", " перед домом"],
        [".", "; камера поворачивает налево.", ". Текста не видно.", ", но изображение размыто.", " и смеётся."],
    ),
}  # fmt: skip


def generated(language: str) -> list[str]:
    who, does, where, further = GRAMMARS[language]
    space = "" if language == "zh" else " "
    every = product(further, where, does, who)
    return [f"{one}{space}{two}{three}{four}" for four, three, two, one in islice(every, 600)]


@pytest.mark.parametrize("language", GRAMMARS)
def test_ordinary_captions_are_ok_and_stay_as_they_are(language: str) -> None:
    captions = generated(language)
    assert len(set(captions)) >= 170
    assert [caption for caption in captions if judge(caption).verdict is not Verdict.OK] == []
    assert [caption for caption in captions if judge(caption).text != caption] == []


@pytest.mark.parametrize("caption", TRICKY)
def test_captions_that_look_like_something_else(caption: str) -> None:
    judged = judge(caption)
    assert (judged.verdict, judged.text) == (Verdict.OK, caption)


def test_there_are_enough_of_them() -> None:
    assert sum(len(set(generated(language))) for language in GRAMMARS) > 1000
    assert len(TRICKY) > 100
