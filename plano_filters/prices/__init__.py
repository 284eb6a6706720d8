"""What models cost: one price book for all filters of a process.

`book(context)`, entered in a filter's lifespan, gives the `PriceBook` of the document.
"""

from plano_filters.prices.catalog import Ability
from plano_filters.prices.pricebook import PriceBook, Quote, book
from plano_filters.prices.rates import Rates, Tier, cost

__all__ = ["Ability", "PriceBook", "Quote", "Rates", "Tier", "book", "cost"]
