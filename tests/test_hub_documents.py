"""What the pages for the hub say of its DAGs, settings and tests is what is there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HUB = ROOT / "deploy" / "airflow-hub"
DAGS = sorted((HUB / "dags" / "trade-manager").glob("dag_*.py"))
GUIDE = (ROOT / "docs" / "airflow-integration-guide.md").read_text()
MATRIX = (HUB / "AIRFLOW_INTEGRATION.md").read_text()
PLAN = (ROOT / "docs" / "airflow-integration-implementation-plan.md").read_text()
BOXES = re.split(r"\n- (?=\[)", PLAN.split("## Verification checklist")[1].split("\n## ")[0])[1:]
NAMED = re.compile(r"`(?P<file>[\w./-]+\.py)?(?:::)?(?P<test>test_\w+)?(?:\[[\w.]+\])?`")


def tasks(file):
    """Yield (task id, command) of a DAG file: words as they are, names of others as `\\S+`."""
    for call in ast.walk(ast.parse(file.read_text())):
        if not isinstance(call, ast.Call) or getattr(call.func, "id", "") not in {"tm", "change"}:
            continue
        task, *rest = call.args
        words = [w for a in rest for w in (a.value.elts if isinstance(a, ast.Starred) else [a])]
        said = [re.escape(w.value) if isinstance(w, ast.Constant) else r"\S+" for w in words]
        if r"\-\-output" in said:  # a file of its own name in each run
            said = said[: said.index(r"\-\-output")]
        yield task.value, "tm " + " ".join(said)


def rows(text):
    """Yield (DAG, cells) of each row of a page's tables; a DAG's name stands in its first row."""
    dag = ""
    for line in text.splitlines():
        if line.startswith("|"):
            first, *cells = (cell.strip().strip("`") for cell in line.split("|")[1:-1])
            dag = first or dag
            yield dag, cells


@pytest.mark.parametrize("page", [GUIDE, MATRIX], ids=["guide", "matrix"])
@pytest.mark.parametrize("file", DAGS, ids=lambda file: file.stem)
def test_a_dag_is_on_the_page_with_each_task_and_its_command(page, file):
    told = [cells for dag, cells in rows(page) if f"dag_{dag}" == file.stem]
    for task, command in tasks(file):
        assert any(
            task in cells and any(re.fullmatch(command, cell) for cell in cells) for cells in told
        ), f"{task}: {command}"


@pytest.mark.parametrize("file", DAGS, ids=lambda file: file.stem)
def test_the_guide_names_code_that_exists_for_each_task(file):
    ours = [cells for dag, cells in rows(GUIDE) if f"dag_{dag}" == file.stem]
    assert len(ours) == len(list(tasks(file)))
    for cells in ours:
        code = re.findall(r"[\w/]+\.py", cells[-1])
        assert code, cells
        assert [name for name in code if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", [GUIDE, MATRIX], ids=["guide", "matrix"])
def test_every_variable_the_plugin_reads_is_on_the_page(page):
    plugin = (HUB / "plugins" / "trade_manager" / "tm_operator.py").read_text()
    read = set(re.findall(r'variable\("(\w+)"', plugin))
    assert len(read) == 5
    assert [name for name in read if f"`{name}`" not in page] == []


@pytest.mark.parametrize("box", BOXES, ids=lambda box: re.search(r"\*\*(.{0,40})", box)[1])
def test_a_box_that_is_ticked_names_tests_that_exist(box):
    """`test_x` alone is in the file named before it."""
    assert box.startswith("[x]")
    file, named = None, 0
    for found in NAMED.finditer(box):
        if found["file"]:
            file = ROOT / found["file"]
            assert file.is_file(), found["file"]
        if found["test"]:
            assert f"def {found['test']}(" in file.read_text(), found[0]
        named += bool(found["file"] or found["test"])
    assert named
