import pytest

from resources.captioners.openai.pricing import (
    Price,
    Usage,
    price_of,
    request_size,
)


@pytest.mark.parametrize(
    ("model", "listed_as"),
    [
        ("gpt-4o", 2.5),
        ("gpt-4o-2024-08-06", 2.5),
        ("gpt-4o-2024-05-13", 5.0),
        ("gpt-4o-mini-2024-07-18", 0.15),
        ("gpt-4.1-mini", 0.4),
        ("my-llava", 1.0),
        ("gpt-6", None),
    ],
)
def test_a_snapshot_costs_what_its_model_costs_and_an_unknown_model_has_no_price(model, listed_as):
    price = price_of(model, {"my-llava": Price(1.0, 2.0)}, at_openai=True)
    assert (price.input if price else None) == listed_as


def test_settings_come_before_the_built_in_table():
    assert price_of("gpt-4o", {"gpt-4o": Price(9.0, 9.0)}, at_openai=True) == Price(9.0, 9.0)


def test_cached_tokens_cost_their_own_rate_and_batches_half():
    price = Price(2.0, 8.0, cached_input=0.5)
    usage = Usage(tokens_in=1000, tokens_out=100, cached_in=400)
    assert price.cost_usd(usage) == pytest.approx((600 * 2 + 400 * 0.5 + 100 * 8) / 1e6)
    assert price.cost_usd(usage, 0.5) == pytest.approx(price.cost_usd(usage) / 2)
    assert Price(2.0, 8.0).cost_usd(usage) == pytest.approx((1000 * 2 + 100 * 8) / 1e6)


@pytest.mark.parametrize(
    ("detail", "dearest_image"), [("low", 3779), ("high", 2833 + 8 * 5667), ("auto", 2833 + 8 * 5667)]
)
def test_the_bound_covers_the_dearest_published_image(detail, dearest_image):
    size = request_size("Beschreibe die Szene – 描述", 3, detail, 300)
    assert size.bound.tokens_in >= 3 * dearest_image + len("Beschreibe die Szene – 描述".encode())
    assert size.bound.tokens_in >= size.likely.tokens_in
    assert size.bound.tokens_out == 300


def test_a_negative_price_is_refused():
    with pytest.raises(ValueError, match="at least 0"):
        Price(-1.0, 2.0)
