import pytest

from serenity.categories import CATEGORIES, category_named
from serenity.errors import InputError


@pytest.mark.parametrize("category", CATEGORIES.values(), ids=CATEGORIES)
def test_a_range_holds_its_centre_and_an_octave_at_least(category):
    assert 0 <= category.lowest < category.centre < category.highest <= 127
    assert category.highest - category.lowest >= 12


def test_an_unknown_category_gets_one_clear_line():
    assert category_named("cello").lowest == 36
    with pytest.raises(InputError, match="category 'banjo' is unknown; wanted one of piano, violin, viola, cello"):
        category_named("banjo")
