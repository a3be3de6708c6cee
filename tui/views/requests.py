"""View 6: the requests known up to the playhead, and one of them opened."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sessions.frame.request_list import CHOICES, IN_FLIGHT, ORDERS, Page
from sessions.store.request_line import Sought
from tui.draw import numbers
from tui.draw.rows import Field, Row, chosen, fitted, spread, width_of
from tui.plots.phases import legend
from tui.views import request_rows, waterfall
from tui.views.view import Drawing, Pressed

_TICK_NS = 250_000_000
_LEGEND_ROWS = 12
"""With less, the legend gives its row to a request."""
_ORDER_OF = {"slowest TTFT": "TTFT", "slowest E2E": "E2E"}


@dataclass(frozen=True)
class Requests:
    choice: str = "all"
    order: str = "time"
    at: int = 0
    """The cursor, from the top of the list."""
    opened: Sought | None = None

    def rows(self, drawing: Drawing) -> list[Row]:
        if self.opened is not None:
            return waterfall.rows(self.opened, drawing)
        width, frame = drawing.width, drawing.frame
        room, first = self._window(drawing)
        page = self._page(drawing, first, max(room, 1))
        cursor = min(self.at, max(page.of - 1, 0))
        rows = [self._head(drawing, page)]
        if not page.of:
            return [*rows, [], *(fitted([("  " + said, "dim")], width) for said in self._nothing(drawing))]
        rows += request_rows.table(page, frame, drawing, self._by, cursor - first, drawing.source.requests)
        if drawing.height >= _LEGEND_ROWS:
            hint: Row = [("enter", "key"), (" opens it ", "dim")]
            below = spread(legend(drawing.theme, width, failed=frame.failed > 0), hint, width)
            rows += [[]] * (drawing.height - 1 - len(rows)) + [below]
        return rows

    def pressed(self, action: str, drawing: Drawing) -> Pressed:
        if action == "escape":
            return Pressed(replace(self, opened=None))
        if action == "filter":
            choice = CHOICES[(CHOICES.index(self.choice) + 1) % len(CHOICES)]
            return Pressed(Requests(choice, _ORDER_OF.get(choice, "time")))
        if action == "sort" and self.choice == IN_FLIGHT:
            return Pressed(self, notice="their figures are not known yet: the oldest stands first")
        if action == "sort":
            order = ORDERS[(ORDERS.index(self.order) + 1) % len(ORDERS)]
            return Pressed(replace(self, order=order, at=0, opened=None), notice=f"by {order}")
        if action == "open" and self.opened is not None:
            end_ns = -(-self.opened.end_ns // _TICK_NS) * _TICK_NS
            return Pressed(self, seek_ns=end_ns)
        room, _ = self._window(drawing)
        steps = {"row_next": 1, "row_previous": -1, "page_next": room, "page_previous": -room, "open": 0}
        if action not in steps:
            return Pressed(self)
        most = max(self._count(drawing) - 1, 0)
        at = min(max(min(self.at, most) + steps[action], 0), most)
        opened = self.opened
        if action == "open" or opened is not None:
            page = self._page(drawing, at, 1)
            if page.of:
                row = page.rows[0]
                opened = Sought(*(int(row[name]) for name in ("worker", "index", "due_ns", "end_ns")))
        return Pressed(replace(self, at=at, opened=opened))

    def _window(self, drawing: Drawing) -> tuple[int, int]:
        """Rows for requests, and the number of the first of them."""
        room = max(drawing.height - 2 - (drawing.height >= _LEGEND_ROWS), 1)
        of = self._count(drawing)
        at = min(self.at, max(of - 1, 0))
        return room, max(min(at - room // 2, of - room), 0)

    @property
    def _by(self) -> str:
        return "age" if self.choice == IN_FLIGHT else self.order

    def _count(self, drawing: Drawing) -> int:
        return drawing.source.request_list.count(drawing.frame.at_ns, self.choice)

    def _page(self, drawing: Drawing, first: int, most: int) -> Page:
        return drawing.source.request_list.page(drawing.frame.at_ns, self.choice, self.order, first, most)

    def _head(self, drawing: Drawing, page: Page) -> Row:
        frame, share = drawing.frame, drawing.source.requests_read
        fields = [
            Field(0, (" REQUESTS", "title"), ("  f ", "key"), (self.choice, "strong")),
            Field(1, ("s ", "key"), (f"by {self._by}", "strong")),
            Field(5, (f"{numbers.count(page.of)} of {numbers.count(page.known)} ended", "dim")),
            Field(4, (f"in flight {numbers.count(frame.in_flight)}", "")),
            Field(2, (f"failed {numbers.count(frame.failed)}", "bad")) if frame.failed else Field(9),
            Field(3, (f"not sent {numbers.count(frame.not_sent)}", "warn")) if frame.not_sent else Field(9),
            Field(6, ("times in ms, or s; in, out: tokens", "dim")) if page.of else Field(9),
        ]
        head = chosen(fields, drawing.width)
        if share < 1.0:
            said: Row = [(f" reading requests {int(100 * share)} % ", "badge")]
            head = [*fitted(head, max(drawing.width - width_of(said), 0)), *said]
        return fitted(head, drawing.width)

    def _nothing(self, drawing: Drawing) -> list[str]:
        frame = drawing.frame
        if drawing.source.requests_read < 1.0:
            return ["their lines are being read"]
        if self.choice == IN_FLIGHT and frame.in_flight:
            why = "a request's line is written when it ends: those that go on now are counted, not listed"
            return [
                f"{frame.in_flight} in flight: {why}" if drawing.width > 110 else why[: drawing.width - 3]
            ]
        if self.choice == "cut off" and frame.not_sent:
            return [f"none cut off; {frame.not_sent} not sent, which are counted and have no line"]
        return ["no request of this kind yet" if self.choice != "all" else "no request has ended yet"]
