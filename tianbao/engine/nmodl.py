"""Reads the part of NMODL that the native engine understands, and names what it does not.

The .mod files stay the only place where an equation is written: NEURON's own translator turns them
into its mechanisms, this parser turns them into the native engine's.
"""

from __future__ import annotations

import re
from pathlib import PurePath

from ..errors import MechanismError
from .lexer import KEYWORDS, tokens
from .special import resolve
from .syntax import NOTHING, Assign, Branch, Call, Derivative, Ion, Local, Routine, Solve, Source

# Units constants as NEURON 9 has them.
_PHYSICAL = {
    ("faraday", "coulomb"): 96485.33212331001,
    ("faraday", "kilocoulomb"): 96.48533212331001,
    ("pi", "1"): 3.141592653589793,
    ("k-mole", "joule/degC"): 8.31446261815324,
    ("k-mole", "joule/K"): 8.31446261815324,
}
_IGNORED_BLOCKS = {"INDEPENDENT"}
_REFUSED_BLOCKS = {
    "KINETIC", "LINEAR", "NONLINEAR", "NET_RECEIVE", "FUNCTION_TABLE", "BEFORE", "AFTER", "DISCRETE",
    "PARTIAL", "CONSTRUCTOR", "DESTRUCTOR", "TERMINAL", "EQUATION", "INCLUDE", "DEFINE",
}  # fmt: skip
_REFUSED_STATEMENTS = {
    "TABLE", "FROM", "while", "FORALL", "WATCH", "NET_RECEIVE", "PROTECT", "MUTEXLOCK", "MUTEXUNLOCK", "RESET",
    "SENS", "CONSERVE", "COMPARTMENT", "LONGITUDINAL_DIFFUSION",
}  # fmt: skip
# Lists of names that NEURON knows in a NEURON block and the engine has no code for.
_REFUSED_LISTS = {"ELECTRODE_CURRENT", "BBCOREPOINTER", "EXTERNAL", "RANDOM"}
# A guard against an unset POINTER, the only VERBATIM that does not affect the equations.
_GUARD = re.compile(r"^\s*if\s*\(\s*!\s*nrn_pointing\s*\([^;{}]*\)\s*\)\s*\{\s*hoc_execerror\s*\([^{}]*\)\s*;\s*\}\s*$")


def parse(text: str, file: str) -> Source:
    """Parse one .mod file.

    Args:
        text: its content.
        file: its name, for messages.

    Raises:
        MechanismError: for a construct that the native engine has no code for, with file and line.
    """
    return _Parser(text, file).source()


def mechanism_name(text: str, file: str) -> str | None:
    """What NEURON will call the mechanism of a .mod file: its SUFFIX or POINT_PROCESS, or else the file's own name.

    Args:
        text, file: as for `parse`; anything may stand outside of the NEURON block.

    Returns:
        The name; None for `SUFFIX nothing`, a file of functions without a mechanism.

    Raises:
        MechanismError: for a NEURON block or a comment that NEURON's translator does not read either.
    """
    name = _Parser(text, file).mechanism_name()
    return None if name == NOTHING else name


class _Parser:
    def __init__(self, text: str, file: str) -> None:
        self._file = file
        self._tokens = list(tokens(text, file))
        self._at = 0
        # NEURON names what has no SUFFIX after its file.
        self._out = Source(file, PurePath(file).stem)
        self._refused: MechanismError | None = None

    def source(self) -> Source:
        """All blocks of the file."""
        while self._peek() is not None:
            self._block(self._take())
        if self._refused is not None:
            raise self._refused
        resolve(self._out)
        return self._out

    def mechanism_name(self) -> str:
        """The name that the NEURON block gives; other blocks are passed over."""
        depth = 0
        while self._peek() is not None or depth:
            word = self._take()
            if word == "NEURON" and not depth:
                self._expect("{")
                self._neuron()
            depth += (word == "{") - (word == "}")
        return self._out.name

    # --- tokens

    def _peek(self, ahead: int = 0) -> str | None:
        k = self._at + ahead
        return self._tokens[k][0] if k < len(self._tokens) else None

    def _take(self) -> str:
        if self._at >= len(self._tokens):
            raise MechanismError(f"{self._file} ends in the middle of a block: close its braces")
        self._at += 1
        return self._tokens[self._at - 1][0]

    def _accept(self, token: str) -> bool:
        if self._peek() == token:
            self._at += 1
            return True
        return False

    def _expect(self, token: str) -> None:
        found = self._take()
        if found != token:
            self._at -= 1
            raise MechanismError(f"{self._where()}: '{token}' expected before '{found}'")

    def _where(self) -> str:
        line = self._tokens[min(self._at, len(self._tokens) - 1)][1]
        return f"{self._file}, line {line}"

    def _refuse(self, construct: str) -> MechanismError:
        line = self._tokens[max(0, self._at - 1)][1]
        return MechanismError(
            f"{self._file}, line {line}: the native engine has no code for {construct}; "
            "run with engine 'neuron', or rewrite it"
        )

    def _unit(self) -> str:
        """Skip a unit in parentheses, if there is one, and return it."""
        words = []
        if self._accept("("):
            while not self._accept(")"):
                words.append(self._take())
        return "".join(words)

    # --- blocks

    def _block(self, word: str) -> None:
        readers = {
            "NEURON": self._neuron, "UNITS": self._units, "PARAMETER": self._parameters, "CONSTANT": self._constants,
            "ASSIGNED": self._assigned, "STATE": self._states,
        }  # fmt: skip
        if word in ("UNITSON", "UNITSOFF", "THREADSAFE"):
            return
        if word in readers:
            self._expect("{")
            readers[word]()
        elif word in ("INITIAL", "BREAKPOINT"):
            if getattr(self._out, word.lower()) is not None:
                raise self._refuse(f"a second {word} block")
            setattr(self._out, word.lower(), self._body())
        elif word in ("PROCEDURE", "FUNCTION", "DERIVATIVE"):
            self._routine(word)
        elif word in _IGNORED_BLOCKS:
            while not self._accept("}"):
                self._take()
        elif word in _REFUSED_BLOCKS or word.startswith("VERBATIM"):
            raise self._refuse(word.split()[0])
        else:
            raise self._refuse(f"'{word}' outside a block")

    def _names(self) -> list[str]:
        names = [self._name("a variable")]
        while self._accept(","):
            names.append(self._name("a variable"))
        return names

    def _neuron(self) -> None:
        out = self._out
        lists = {"RANGE": out.range.update, "GLOBAL": out.globals.update, "POINTER": out.pointers.update,
                 "NONSPECIFIC_CURRENT": out.nonspecific.extend}  # fmt: skip
        while not self._accept("}"):
            word = self._take()
            if word in ("SUFFIX", "POINT_PROCESS", "ARTIFICIAL_CELL"):
                out.name, out.point = self._name("a mechanism"), word != "SUFFIX"
            elif word == "USEION":
                out.ions.append(self._ion())
            elif word in lists:
                lists[word](self._names())
            elif word in _REFUSED_LISTS:
                self._names()
            elif word == "THREADSAFE":
                while self._is_name(self._peek()):
                    self._names()
            else:
                raise self._misplaced(word)
            if word in _REFUSED_LISTS or word == "ARTIFICIAL_CELL":
                self._refused = self._refused or self._refuse(word)

    def _is_name(self, word: str | None) -> bool:
        return word is not None and re.match(r"[A-Za-z]", word) is not None and word not in KEYWORDS

    def _name(self, what: str) -> str:
        word = self._take()
        if not self._is_name(word):
            self._at -= 1
            raise MechanismError(f"{self._where()}: NEURON cannot call {what} {word!r}: choose another name")
        return word

    def _misplaced(self, word: str) -> MechanismError:
        self._at -= 1
        return MechanismError(f"{self._where()}: {word!r} has no place in a NEURON block: correct the block")

    def _ion(self) -> Ion:
        name, lists = self._name("an ion"), {"READ": [], "WRITE": []}
        while self._peek() in ("READ", "WRITE", "VALENCE", "CHARGE", "REPRESENTS"):
            word = self._take()
            if word in lists:
                lists[word] += self._names()
            elif word == "REPRESENTS":
                self._accept("[")
                self._take()  # the lexer takes what follows the colon for a comment
            else:
                self._number()
                self._refused = self._refused or self._refuse(word)
        ion = Ion(name, tuple(lists["READ"]), tuple(lists["WRITE"]))
        for each in (*ion.read, *ion.write):
            if each not in ion.roles:
                raise MechanismError(f"{self._where()}: '{each}' is no variable of the ion '{name}' in NEURON")
        return ion

    def _units(self) -> None:
        while not self._accept("}"):
            if self._peek() == "(":
                self._unit()
                self._expect("=")
                self._unit()
                continue
            name = self._take()
            self._expect("=")
            if self._peek() != "(":
                self._out.constants[name] = self._number()
                self._unit()
                continue
            what = self._unit(), self._unit()
            if what not in _PHYSICAL:
                raise self._refuse(f"the constant ({what[0]}) ({what[1]})")
            self._out.constants[name] = _PHYSICAL[what]

    def _number(self) -> float:
        sign = -1.0 if self._accept("-") else 1.0
        word = self._take()
        try:
            return sign * float(word)
        except ValueError:
            raise self._refuse(f"'{word}' where a number belongs") from None

    def _parameters(self) -> None:
        while not self._accept("}"):
            name, value = self._take(), 0.0
            if self._accept("="):
                value = self._number()
            self._out.units[name] = self._unit()
            if self._accept("<"):
                while not self._accept(">"):
                    self._take()
            # nocmodl writes the value of a PARAMETER with six digits.
            self._out.parameters[name] = float(f"{value:g}")

    def _constants(self) -> None:
        while not self._accept("}"):
            name = self._take()
            self._expect("=")
            self._out.constants[name] = self._number()
            self._unit()

    def _assigned(self) -> None:
        while not self._accept("}"):
            name = self._take()
            if self._peek() == "[":
                raise self._refuse("arrays")
            self._unit()
            self._out.assigned.add(name)

    def _states(self) -> None:
        while not self._accept("}"):
            name = self._take()
            if self._peek() in ("[", "FROM"):
                raise self._refuse("arrays and limits of a STATE")
            self._unit()
            self._out.states.append(name)

    def _routine(self, kind: str) -> None:
        name, arguments = self._take(), []
        if self._accept("("):
            while not self._accept(")"):
                arguments.append(self._take())
                self._unit()
                self._accept(",")
            self._unit()
        self._out.routines[name] = Routine(kind, name, tuple(arguments), self._body())

    # --- statements

    def _body(self) -> tuple:
        self._expect("{")
        statements = []
        while not self._accept("}"):
            statement = self._statement()
            if statement is not None:
                statements.append(statement)
        return tuple(statements)

    def _statement(self):
        word = self._take()
        if word == "LOCAL":
            return Local(tuple(self._names()))
        if word == "if":
            return self._branch()
        if word == "SOLVE":
            block = self._take()
            method = self._take() if self._accept("METHOD") else ""
            if self._peek() in ("STEADYSTATE", "IFERROR"):
                raise self._refuse(self._take())
            return Solve(block, method)
        if word == "CONDUCTANCE":
            self._take()
            if self._accept("USEION"):
                self._take()
            return None
        if word in ("UNITSON", "UNITSOFF"):
            return None
        if word.startswith("VERBATIM"):
            if _GUARD.match(word.removeprefix("VERBATIM")):
                return None
            raise self._refuse("VERBATIM")
        if word in _REFUSED_STATEMENTS or word == "~":
            raise self._refuse(word)
        if self._accept("'"):
            self._expect("=")
            return Derivative(word, self._expression())
        if self._accept("="):
            return Assign(word, self._expression())
        if self._peek() == "(":
            return Call(word, self._arguments())
        raise self._refuse(f"'{word}'")

    def _branch(self) -> Branch:
        self._expect("(")
        condition = self._expression()
        self._expect(")")
        then, otherwise = self._body(), ()
        if self._accept("else"):
            otherwise = (self._branch(),) if self._accept("if") else self._body()
        return Branch(condition, then, otherwise)

    def _arguments(self) -> tuple:
        self._expect("(")
        found = []
        while not self._accept(")"):
            found.append(self._expression())
            self._accept(",")
        return tuple(found)

    # --- expressions, loosest binding first

    # NEURON's translator hands expressions on to C as they stand: "==" binds looser than "<" there.
    _LEVELS = (("||",), ("&&",), ("==", "!="), ("<", ">", "<=", ">="), ("+", "-"), ("*", "/"))

    def _expression(self, level: int = 0) -> tuple:
        if level == len(self._LEVELS):
            return self._signed()
        left = self._expression(level + 1)
        while self._peek() in self._LEVELS[level]:
            op = self._take()
            left = (op, left, self._expression(level + 1))
        return left

    def _signed(self) -> tuple:
        if self._accept("-"):
            return ("neg", self._signed())
        if self._accept("+"):
            return self._signed()
        if self._accept("!"):
            return ("!", self._signed())
        base = self._primary()
        return ("pow", base, self._signed()) if self._accept("^") else base

    def _primary(self) -> tuple:
        word = self._take()
        if word == "(":
            inner = self._expression()
            self._expect(")")
            return inner
        if re.match(r"[\d.]", word):
            if self._peek() == "(":
                self._unit()
            return ("number", float(word))
        if not re.match(r"[A-Za-z_]", word):
            raise self._refuse(f"'{word}' in an expression")
        return ("call", word, self._arguments()) if self._peek() == "(" else ("name", word)
