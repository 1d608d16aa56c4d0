"""Prose is spelt as in Britain: in the documents, in docstrings and in comments.

Code keeps its names. What stands in backquotes, blocks of code, links or quotation marks is code or
another's words.
"""

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

import lrmp

ROOT = Path(__file__).parents[2]

#: American spellings, as patterns of whole words. Words that Britain spells both ways, with
#: different meanings (program, practice, license, meter, disk), are not here.
AMERICAN = re.compile(
    r"\b(?:\w*(?:optim|minim|maxim|normal|quant|organ|recogn|summar|util|initial|serial|penal|general"
    r"|visual|parallel|linear|regular|vector|equal|factor|special|custom|standard|final|memor|synchron"
    r"|token|random|discret|binar|real|emphas|prior|categor|character|local|central|stabil|modern)"
    r"iz(?:e[drs]?|es|ers|ing|ations?)"
    r"|(?:multi)?color(?:s|ed|ing|ful)?|(?:mis)?behavior(?:s|al)?|neighbor(?:s|ing|hoods?)?"
    r"|favor(?:s|ed|able|ites?)?|honor(?:s|ed)?|(?:re)?center(?:s|ed|ing)?|fibers?"
    r"|(?:un|re)?label(?:ed|ing)|model(?:ed|ing)|travel(?:ed|ing)|cancel(?:ed|ing)|signal(?:ed|ing)"
    r"|level(?:ed|ing)|total(?:ed|ing)|(?:re)?analyz(?:e[drs]?|es|ing)|gray(?:s|ish)?|catalogs?"
    r"|artifacts?|fulfills?|defense|skeptic\w*|aluminum|judgment|acknowledgments?)\b",
    re.IGNORECASE,
)
#: What is not prose: code, names of arguments, the targets of links, HTML, another's words.
NO_PROSE = re.compile(
    r"```.*?```|``.*?``|`[^`]*`|\]\([^)]*\)|<[^>]*>|https?://\S+|\"[^\"]{,200}\"|“[^”]*”"
    r"|^ {4,}(?:python|lrmp|pip|git) .*$|^>>> .*$|^ +\w+: ",
    re.DOTALL | re.MULTILINE,
)
#: Names of things that are spelt as their owners spell them.
NAMES = re.compile(
    r"permute-quantize-finetune|Optimization Techniques"
    r"|\b\w+_\w+\b|\b[a-z]+[A-Z]\w*|\b[A-Z][a-z]+[A-Z]\w*"
)


def american(text):
    """Return the American spellings in prose."""
    return AMERICAN.findall(NAMES.sub(" ", NO_PROSE.sub(" ", text)))


def test_the_list_knows_what_it_should():
    text = "The optimizer's colors are gray; a modeled center behaves; neighbors differ."
    assert american(text) == ["optimizer", "colors", "gray", "modeled", "center", "neighbors"]
    fine = "The optimiser's colours are grey; size, prize, seize, neighbour, realise; `optimize`."
    assert american(fine) == []


def test_documents_are_spelt_as_in_britain():
    if not (ROOT / "docs").is_dir():
        pytest.skip("the tests run outside the repository")
    documents = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
    documents += sorted((ROOT / "docs").rglob("*.md"))
    found = {str(path.relative_to(ROOT)): american(path.read_text("utf-8")) for path in documents}
    assert {name: words for name, words in found.items() if words} == {}


def comments(source):
    """Return the comments of a module."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return [token.string for token in tokens if token.type == tokenize.COMMENT]


def docstrings(source):
    """Return the docstrings of a module."""
    kinds = ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef
    nodes = (node for node in ast.walk(ast.parse(source)) if isinstance(node, kinds))
    return [ast.get_docstring(node) or "" for node in nodes]


@pytest.mark.long
def test_docstrings_and_comments_are_spelt_as_in_britain():
    package = Path(lrmp.__path__[0])
    modules = [path for folder in package.iterdir() for path in _modules(folder)]
    assert len(modules) > 300
    found = {}
    for path in modules:
        source = path.read_text("utf-8")
        words = [word for text in docstrings(source) + comments(source) for word in american(text)]
        if words:
            found[path.name] = words
    assert found == {}


def _modules(entry):
    if entry.suffix == ".py":
        return [entry]
    return entry.resolve().rglob("*.py") if entry.is_dir() else ()
