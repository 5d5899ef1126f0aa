import pytest

from resources.words.language import language_of


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("A red ball rolls over the grass while the camera pans to the left.", "en"),
        ("Ein roter Ball rollt über die Wiese und bleibt auf dem Weg liegen.", "de"),
        ("Une balle rouge roule sur la pelouse dans le parc.", "fr"),
        ("Una pelota roja rueda por el parque con un perro.", "es"),
        ("Una palla rossa rotola nel parco con il cane della signora.", "it"),
        ("Uma bola vermelha rola no parque com os cães e não para.", "pt"),
        ("一个红色的球在草地上滚动。", "zh"),
        ("赤いボールが草の上を転がる。", "ja"),
        ("빨간 공이 잔디 위를 굴러간다.", "ko"),
        ("Красный мяч катится по траве.", "ru"),
        ("12:30", None),
        ("", None),
        ("Zebra quokka", None),
        ("A sign reads 東京 over the door of the shop on the left of the street.", "en"),
    ],
)
def test_language_of_a_caption(text: str, language: str | None) -> None:
    found, confidence = language_of(text)
    assert found == language
    assert 0 <= confidence <= 1
    assert language is None or confidence >= 0.5
