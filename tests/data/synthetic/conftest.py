"""One body for all tests: loading it takes a second, the very first time minutes."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def body():
    from signgen.data.synthetic.body import Body

    return Body()


@pytest.fixture(scope="session")
def rest(body):
    from signgen.data.synthetic.body import Shape

    return body.rest(Shape(gender=1.0, weight=0.4))
