"""The schemas that editors complete from say what the plugin takes, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from mkdocs.config import config_options as c
from sites import Site

from mkdocs_gptimage.hosts.mkdocs.config import Options
from mkdocs_gptimage.spec.schema import SCHEMA_FILES, block_schema, editor_schema

EXAMPLE = Path(__file__).parents[2] / "example-site" / "mkdocs.yml"
BLOCK_FIELDS = set(block_schema()["properties"])
OF_ONE_PICTURE = {"id", "alt", "caption", "dark", "style"}
DEFS = editor_schema("options")["$defs"]
GROUPS = {
    "options": Options,
    **{name: option.config_class for name, option in Options._schema if isinstance(option, c.SubConfig)},
}


def is_valid(name: str, document) -> bool:
    return jsonschema.Draft202012Validator(editor_schema(name)).is_valid(document)


def accepts(options: dict) -> bool:
    """Whether the schema takes these options of the plugin."""
    return is_valid("options", {"site_name": "Test", "plugins": ["search", {"gptimage": options}]})


def references(rule) -> list[str]:
    """All references of a schema."""
    if isinstance(rule, list):
        return [each for one in rule for each in references(one)]
    if not isinstance(rule, dict):
        return []
    own = [rule["$ref"]] if isinstance(rule.get("$ref"), str) else []
    return own + [each for one in rule.values() for each in references(one)]


@pytest.mark.parametrize("name", SCHEMA_FILES)
def test_each_is_one_document(name):
    """A schema is valid by its draft, and refers to nothing but what it holds itself."""
    schema = editor_schema(name)
    jsonschema.Draft202012Validator.check_schema(schema)

    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    for reference in references(schema):
        place = schema
        assert reference.startswith("#/")
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]


@pytest.mark.parametrize("group", GROUPS)
def test_every_option_and_no_other(group):
    """The schema has the options of the plugin, by group."""
    assert list(DEFS[group]["properties"]) == [name for name, _ in GROUPS[group]._schema]
    assert DEFS[group]["additionalProperties"] is False


@pytest.mark.parametrize("group", GROUPS)
def test_descriptions_and_defaults(group):
    """Each option is described, and has the default that the plugin has."""
    options = GROUPS[group]()
    for name, rule in DEFS[group]["properties"].items():
        assert rule["description"].endswith((".", ".yml")), name
        if name not in GROUPS:
            assert rule["default"] == options[name], name


def test_fields_of_blocks():
    """Defaults take each field of a block, styles all but those of one picture, by the rules of a block."""
    assert set(DEFS["defaults"]["properties"]) == BLOCK_FIELDS
    assert set(DEFS["style"]["properties"]) == BLOCK_FIELDS - OF_ONE_PICTURE
    fields = {**DEFS["defaults"]["properties"], **DEFS["style"]["properties"]}
    assert {name: rule for name, rule in fields.items() if rule != {"$ref": f"#/$defs/block/properties/{name}"}} == {
        "prompt": DEFS["style"]["properties"]["prompt"]
    }


FINE = [
    {},
    {"styles": {"ink": {"prompt": "{prompt}, black ink drawing", "size": "3:2", "image_urls": ["a.png"]}}},
    {"specs": ["images/*.yml"], "defaults": {"size": "16:9", "style": "ink"}, "prices": {"1k": 0.01}},
    {"budget": {"images": None, "usd": 2.5}, "api": {"base_url": "emulator", "timeout": {"4k": 900}}},
    {"output": {"formats": ["avif", "webp"], "quality": {"avif": 60}, "disclosure": "label"}},
]
WRONG = [
    {"on_missing": "sometimes"},
    {"styles": {"ink": {"prompt": "black ink drawing"}}},
    {"styles": {"ink": {"alt": "Ink"}}},
    {"styles": {"ink": {"size": "16:10"}}},
    {"styles": {"ink": "black"}},
    {"defaults": {"sise": "16:9"}},
    {"specs": "images/*.yml"},
    {"prices": {"8k": 1}},
    {"prices": {"1k": -1}},
    {"api": {"base_url": "ftp://example.com"}},
    {"api": {"key_env": "sk-123"}},
    {"api": {"key_env": "GITHUB_TOKEN"}},
    {"api": {"timeout": 0}},
    {"api": {"max_requests": 0}},
    {"budget": {"images": -1}},
    {"output": {"formats": ["gif"]}},
    {"output": {"formats": []}},
    {"output": {"widths": [0]}},
    {"output": {"quality": 101}},
    {"output": {"quality": {"original": 90}}},
    {"output": {"disclosure": "none"}},
]


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    made.write({"index.md": "# Home\n"})
    (tmp_path / "images").mkdir()
    (tmp_path / "images/cats.yml").write_text("cat:\n  prompt: A cat\n", encoding="utf-8")
    return made


@pytest.mark.parametrize("options", FINE, ids=str)
def test_options_that_are_fine(options):
    """What the plugin takes, the schema takes."""
    assert accepts(options)


@pytest.mark.parametrize("options", WRONG, ids=str)
def test_options_that_are_wrong(options, site):
    """What the schema does not take, the plugin does not take."""
    site.configure(gptimage=options)

    assert not accepts(options)
    assert site.gptimage("plan").code == 2


def test_all_that_is_fine_together(site):
    """The options that the schema takes are taken by the plugin."""
    merged = {key: value for options in FINE for key, value in options.items()}
    merged["styles"] = {"ink": {"prompt": "{prompt}, black ink drawing", "size": "3:2"}}
    site.configure(gptimage=merged)

    done = site.gptimage("plan")
    assert (done.code, done.err) == (0, "")


def test_rest_of_the_configuration():
    """The schema of the options leaves everything else in mkdocs.yml to others, and takes all ways to name a plugin."""
    example = yaml.load(EXAMPLE.read_text("utf-8"), yaml.BaseLoader)
    assert is_valid("options", {**example, "plugins": ["gptimage"]})
    assert is_valid("options", {"plugins": [{"gptimage": None}, {"search": {"lang": "en"}}], "theme": "material"})
    assert is_valid("options", {"plugins": {"gptimage": {"on_missing": ["GPTIMAGE_ON_MISSING", "auto"]}}})
    assert not is_valid("options", {"plugins": {"gptimage": {"bugdet": 1}}})


def test_specs():
    """A file of specs maps ids to the fields of blocks, beside the line that names its schema."""
    assert is_valid("specs", {"$schema": "specs.json", "cat": {"prompt": "A cat", "size": "16:9"}})
    assert not is_valid("specs", {"cat": {"size": "16:9"}})
    assert not is_valid("specs", {"cat": {"prompt": "A cat", "sise": "16:9"}})
    assert not is_valid("specs", {"a cat": {"prompt": "A cat"}})
    assert not is_valid("specs", {"cat": {"prompt": "A cat", "id": "cat"}})


@pytest.mark.parametrize(("arguments", "name"), [([], "block"), (["block"], "block"), (["specs"], "specs")])
def test_printed(site, arguments, name):
    """`schema` prints what validates a block, `schema specs` what validates a file of specs."""
    done = site.gptimage("schema", *arguments)

    assert done.code == 0
    assert json.loads(done.out) == editor_schema(name)


def test_printed_options_are_described(site):
    """`schema options` prints the schema of mkdocs.yml, letters as they are."""
    done = site.gptimage("schema", "options")

    assert json.loads(done.out) == editor_schema("options")
    assert "\\u" not in done.out
