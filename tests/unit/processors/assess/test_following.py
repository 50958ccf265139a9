"""No probe is handled before the records of its partition are read."""

from __future__ import annotations

import asyncio

from core.settings import Settings
from core.tasks import cancel
from processors.assess.assessor import Assessor
from processors.assess.documents import Documents
from processors.assess.following import Following


async def test_what_was_assigned_and_is_not_followed_yet_is_waited_for() -> None:
    following = Following(Settings(), Assessor(4, Documents()), 4)
    assert following.ready() is None
    await following.until_current()
    following.want({1})
    assert following.ready() == "reading the health of relays"
    waiting = asyncio.create_task(following.until_current())
    await asyncio.sleep(0)
    assert not waiting.done()
    following.want(())
    await following.until_current()
    await cancel(waiting)
    await following.close()
