"""The mutants of a source file: every small way in which ``operators`` break it, as one replaced stretch of its text.

Left alone is what no test should notice or need not: annotations, decorators, documentation, what is logged, the texts of
errors, ``assert`` (for the type checker), and words in quotes. The replaced stretch is one expression or statement, so the rest
of the file stays as it is written.
"""

from __future__ import annotations

import ast
import copy
from collections import Counter
from dataclasses import dataclass, replace
from itertools import accumulate

OPERATORS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult, ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitOr,
}  # fmt: skip
CALLS = {"min": "max", "max": "min", "any": "all", "all": "any"}
UNTESTED_KEYWORDS = {"strict", "slots", "frozen", "exc_info", "extra", "daemon", "stacklevel"}
LOGS = ("_log", "log", "logger")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: characters ``start`` to ``end`` of the file become ``after``. ``line`` counts from 1."""

    path: str
    where: str  # the function's qualified name; "" at the head of the module
    line: int
    text: str  # of the line, without indentation
    before: str
    after: str
    start: int
    end: int
    statement: tuple[int, int]  # the first and last line of the statement, or of its head where it has a body
    number: int = 1  # of those that this would be the same name of

    @property
    def name(self) -> str:
        """What the mutant is called, wherever in the file it has moved to."""
        again = f" ({self.number})" if self.number > 1 else ""
        return f"{self.path} {self.where or 'module'} | {self.text} | {self.before} -> {self.after}{again}"

    def applied(self, source: str) -> str:
        """The broken file."""
        return source[: self.start] + self.after + source[self.end :]


def mutants(path: str, source: str) -> list[Mutant]:
    """All mutants of a file, in its order."""
    finder = _Finder(path, source)
    finder.visit(ast.parse(source))
    seen: Counter[str] = Counter()
    named = []
    for found in sorted(finder.found, key=lambda each: (each.start, each.end, each.after)):
        seen[found.name] += 1
        named.append(replace(found, number=seen[found.name]))
    return named


class _Finder(ast.NodeVisitor):
    """Collects mutants. ``_scope`` are the names of the classes and functions around a node."""

    def __init__(self, path: str, source: str) -> None:
        self.found: list[Mutant] = []
        self._path, self._lines = path, source.splitlines(keepends=True)
        self._starts = [0, *accumulate(map(len, self._lines))]
        self._scope: list[str] = []
        self._in_function = False
        self._statement = (1, 1)

    def visit(self, node: ast.AST) -> None:
        outside = self._statement
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            last = body[0].lineno - 1 if body else node.end_lineno or node.lineno
            self._statement = (node.lineno, max(node.lineno, last))
        super().visit(node)
        self._statement = outside

    # what is left alone
    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        pass

    def visit_Assert(self, node: ast.Assert) -> None:
        pass

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_arg(self, node: ast.arg) -> None:
        pass

    def visit_keyword(self, node: ast.keyword) -> None:
        if node.arg not in UNTESTED_KEYWORDS:
            self.visit(node.value)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._enter(node.name, node.body)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for default in [*node.args.defaults, *node.args.kw_defaults]:
            if default is not None:
                self.visit(default)
        outside, self._in_function = self._in_function, True
        self._enter(node.name, node.body)
        self._in_function = outside

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    # what is changed
    def visit_Compare(self, node: ast.Compare) -> None:
        for number, operator in enumerate(node.ops):
            changed = copy.copy(node)
            changed.ops = [*node.ops[:number], OPERATORS[type(operator)](), *node.ops[number + 1 :]]
            self._change(node, changed)
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        self._swap(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if self._in_function or not isinstance(node.op, ast.BitOr):  # outside it joins types
            self._swap(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._leave_out(node)
        self._swap(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not | ast.USub):
            self._change(node, node.operand)
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        match node.value:
            case bool():
                self._change(node, ast.Constant(not node.value))
            case int() if self._in_function:
                self._change(node, ast.Constant(node.value + 1))
            case int() | float():  # a figure that was chosen: little more of it would be no fault
                self._change(node, ast.Constant(node.value * 2 or 1))

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name) and node.func.id in CALLS:
            changed = copy.copy(node)
            changed.func = ast.Name(CALLS[node.func.id])
            self._change(node, changed)
        if not _logs(node):
            self.generic_visit(node)

    def visit_If(self, node: ast.If | ast.IfExp) -> None:
        for value in (True, False):
            self._change(node.test, ast.Constant(value))
        self.generic_visit(node)

    visit_IfExp = visit_If  # noqa: N815

    def visit_While(self, node: ast.While) -> None:
        self._change(node.test, ast.Constant(False))
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for test in node.ifs:
            self._change(test, ast.Constant(True))
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        called = node.value.value if isinstance(node.value, ast.Await) else node.value
        if isinstance(called, ast.Call) and not _logs(called):
            self._leave_out(node)
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        if all(isinstance(target, ast.Attribute | ast.Subscript) for target in node.targets):
            self._leave_out(node)  # without a local name the next line would stumble over it
        self.generic_visit(node)

    def visit_Delete(self, node: ast.Delete) -> None:
        self._leave_out(node)

    def visit_Raise(self, node: ast.Raise) -> None:
        self._leave_out(node)

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is not None and not isinstance(node.value, ast.Constant):
            self._change(node, ast.Return(ast.Constant(None)))
        self.generic_visit(node)

    def visit_Break(self, node: ast.Break) -> None:
        self._change(node, ast.Continue())

    def visit_Continue(self, node: ast.Continue) -> None:
        self._change(node, ast.Break())

    def _enter(self, name: str, body: list[ast.stmt]) -> None:
        self._scope.append(name)
        for statement in body:
            self.visit(statement)
        self._scope.pop()

    def _swap(self, node: ast.BoolOp | ast.BinOp | ast.AugAssign) -> None:
        if type(node.op) in OPERATORS:
            changed = copy.copy(node)
            changed.op = OPERATORS[type(node.op)]()  # type: ignore[assignment]
            self._change(node, changed)
        self.generic_visit(node)

    def _leave_out(self, node: ast.stmt) -> None:
        self._change(node, ast.Pass())

    def _change(self, node: ast.expr | ast.stmt, changed: ast.AST) -> None:
        start, end = self._place(node.lineno, node.col_offset), self._place(node.end_lineno, node.end_col_offset)
        after = ast.unparse(changed)
        if isinstance(node, ast.expr) and not isinstance(changed, ast.Constant | ast.Name):
            after = f"({after})"  # it may stand beside an operator that binds more closely, or go over several lines
        text, where = self._lines[node.lineno - 1].strip(), ".".join(self._scope)
        before = ast.unparse(node)
        self.found.append(Mutant(self._path, where, node.lineno, text, before, after, start, end, self._statement))

    def _place(self, line: int | None, column: int | None) -> int:
        assert line is not None
        assert column is not None
        before = self._lines[line - 1].encode()[:column].decode()  # columns count bytes
        return self._starts[line - 1] + len(before)


def _logs(call: ast.Call) -> bool:
    target = call.func.value if isinstance(call.func, ast.Attribute) else None
    return isinstance(target, ast.Name) and target.id in LOGS
