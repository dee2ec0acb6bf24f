"""One body for all tests: loading it takes a second, the very first time minutes."""

from __future__ import annotations

import pytest

pytest.importorskip("anny", reason="needs the extra `synthetic`")


@pytest.fixture(scope="session")
def body():
    from signgen.data.rendered.body import Body

    return Body()


@pytest.fixture(scope="session")
def rest(body):
    from signgen.data.rendered.body import Shape

    return body.rest(Shape(gender=1.0, weight=0.4))
