"""Each command has a twin in Python, which takes the same words."""

import dataclasses
import inspect
import pkgutil

import click
import pytest

from promptreid.actions.evaluating.evaluate_request import EvaluateRequest
from promptreid.actions.searches.picture_index import PictureIndex
from promptreid.actions.train_settings import HARDWARE
from promptreid.cli.main import cli
from promptreid.inference.exporting.export_options import ExportOptions

TWINS = {
    "quickstart": "actions.first_steps.quickstart_folder.quickstart",
    "train": "actions.train_recipe.train",
    "train --estimate": "actions.train_recipe.estimate",
    "evaluate": "actions.evaluate_models.evaluate",
    "export": "actions.model.Model.export",
    "export --to hub-folder": "actions.model.Model.save_pretrained",
    "embed": "actions.embed_data.embed",
    "threshold": "actions.choose_run_threshold.threshold",
    "same": "actions.model.Model.same",
    "verify": "gallery.gallery.Gallery.verify",
    "search": "actions.searches.picture_index.search",
    "sweep": "actions.train_sweep.sweep",
    "compare": "actions.compare_scores.compare",
    "note": "actions.run.Run.note",
    "report": "actions.write_report.report",
    "figure": "actions.draw_figure.figure",
    "recipes list": "actions.recipe_listing.recipes",
    "recipes show": "actions.recipe_listing.RecipeList.show",
    "recipes copy": "actions.recipe_listing.RecipeList.copy",
    "import-config": "actions.import_old_config.import_config",
    "data list": "actions.datasets.data_listing.list_data",
    "data inspect": "actions.datasets.loaded_data.LoadedData.inspect",
    "data export": "actions.datasets.loaded_data.LoadedData.export",
    "data cache": "actions.datasets.disk_cache.data_cache",
    "data synth": "actions.datasets.render_data.synth_data",
    "gallery create": "actions.gallery_models.create_gallery",
    "gallery add": "actions.enrol_data.enrol",
    "gallery allow": "gallery.gallery.Gallery.allow",
    "gallery check": "gallery.gallery.Gallery.check",
    "gallery copy": "gallery.gallery.Gallery.copy",
    "gallery entries": "gallery.gallery.Gallery.entries",
    "gallery erase": "gallery.gallery.Gallery.erase",
    "gallery export": "gallery.gallery.Gallery.export",
    "gallery hide": "gallery.gallery.Gallery.hide",
    "gallery identities": "gallery.gallery.Gallery.identities",
    "gallery info": "gallery.gallery.Gallery.info",
    "gallery merge": "gallery.gallery.Gallery.merge",
    "gallery name": "gallery.gallery.Gallery.name",
    "gallery not": "gallery.gallery.Gallery.add_negatives",
    "gallery reembed": "gallery.gallery.Gallery.reembed",
    "gallery split": "gallery.gallery.Gallery.split",
    "gallery unhide": "gallery.gallery.Gallery.unhide",
    "gallery audit list": "gallery.audit.audit_log.AuditLog.read",
    "gallery audit verify": "gallery.audit.audit_log.AuditLog.verify",
    "gallery audit confirm": "gallery.audit.audit_log.AuditLog.confirm",
    "gallery audit expire": "gallery.audit.audit_log.AuditLog.expire",
    "gallery audit set": "gallery.gallery.Gallery.set_audit",
}
"""What does the same in Python, below `promptreid`, for each command."""

GALLERY_METHODS = [
    name for name, twin in TWINS.items() if name.startswith("gallery ") and "actions." not in twin
]
"""Commands whose twins are methods of their own name, which the manual does not list one by one."""

WITHOUT_TWIN = {
    "demo": "it runs other commands on rendered hands, as the notebooks in examples do",
    "bench": "it measures the package itself, and comes with the source code alone",
    "pretrain": "it makes a file of the package itself",
    "serve start": "it is a process of its own",
    "serve token": "it writes a file for that process",
    "completion": "it prints a script for a shell",
}

PASSED_ON = {
    "train": HARDWARE,
    "train --estimate": HARDWARE,
    "evaluate": [one.name for one in dataclasses.fields(EvaluateRequest)],
    "export": [one.name for one in dataclasses.fields(ExportOptions)],
    "search": list(inspect.signature(PictureIndex.search).parameters),
    "figure": ["seed", "pixelate", "images", "ranks", "identities", "which", "queries", "top",
               "perplexity", "neighbours"],
}  # fmt: skip
"""Words that a twin takes as further keywords."""

ELSEWHERE = {
    "json_file": "to_dict() of what is returned",
    "yes": "whoever writes a call is sure",
    "place": "the gallery whose method it is",
    ("train", "estimate"): "promptreid.estimate",
    ("export", "model"): "promptreid.load(model)",
    ("export", "out"): "the first argument",
    ("export", "scores"): "save_pretrained", ("export", "name"): "save_pretrained",
    ("export", "license_name"): "save_pretrained", ("export", "base_model"): "save_pretrained",
    ("export", "with_identities"): "save_pretrained",
    ("embed", "spec"): "data",
    ("same", "model"): "promptreid.load(model, device)",
    ("same", "device"): "promptreid.load(model, device)",
    ("same", "others"): "a call for each pair",
    ("verify", "words"): "a call for each pair",
    ("verify", "own_pairs"): "threshold=gallery.own_threshold(far)",
    ("verify", "far"): "threshold=gallery.own_threshold(far)",
    ("verify", "model"): "promptreid.open_gallery(place, model, device=device)",
    ("verify", "device"): "promptreid.open_gallery(place, model, device=device)",
    ("search", "page"): "write_page of what is found",
    ("search", "pixelate"): "write_page of what is found",
    ("search", "no_cache"): "keep",
    ("compare", "files"): "write of what is returned",
    ("note", "run"): "the run", ("note", "text"): "the value that is set",
    ("note", "remove"): 'run.note = ""',
    ("figure", "out"): "save of what is returned",
    ("recipes list", "long"): "the infos of the list",
    ("data inspect", "spec"): "promptreid.load_data(spec)",
    ("data export", "spec"): "promptreid.load_data(spec)",
    ("gallery add", "model"): "promptreid.open_gallery(place, model, device=device)",
    ("gallery add", "device"): "promptreid.open_gallery(place, model, device=device)",
    ("gallery check", "mend"): "gallery.mend()",
    ("gallery copy", "target"): "place",
    ("gallery export", "out"): "the first argument",
    ("gallery not", "removed"): "gallery.remove_negatives(numbers)",
    ("gallery not", "model"): "promptreid.open_gallery(place, model, device=device)",
    ("gallery not", "device"): "promptreid.open_gallery(place, model, device=device)",
    ("gallery reembed", "device"): "promptreid.load(model, device)",
    ("gallery audit expire", "days"): "before, a time",
    ("gallery audit set", "which"): "audit",
}  # fmt: skip
"""Words that stand elsewhere in Python, and where."""


def find_ends(command: click.Command, path: tuple[str, ...] = ()) -> dict[str, click.Command]:
    """All commands that have no others below them, by their words."""
    if not isinstance(command, click.Group):
        return {" ".join(path): command}
    context, found = click.Context(command), {}
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        assert below is not None
        found |= find_ends(below, (*path, name))
    return found


COMMANDS = find_ends(cli)


def test_every_command_has_a_twin_or_a_reason():
    known = {name.partition(" --")[0] for name in TWINS}
    covered = {name for name in COMMANDS if name in known or name.partition(" ")[0] in known}
    assert not covered & WITHOUT_TWIN.keys()
    assert covered | WITHOUT_TWIN.keys() == COMMANDS.keys()


@pytest.mark.parametrize("name", TWINS)
def test_a_twin_takes_the_words_of_its_command(name):
    twin, command = pkgutil.resolve_name(f"promptreid.{TWINS[name]}"), name.partition(" --")[0]
    taken = set(PASSED_ON.get(name, ()))
    taken |= set(inspect.signature(twin).parameters) if callable(twin) else set()
    if "--" in name:  # the words of the command itself are those of its other twin
        assert taken
        return
    words = {
        (parameter.name, parameter.opts[-1].lstrip("-").replace("-", "_"))
        for path, found in COMMANDS.items()
        if path == command or path.startswith(f"{command} ")
        for parameter in found.params
    }
    lacking = {
        word for word, option in words
        if not {word, option} & taken and word not in ELSEWHERE and (command, word) not in ELSEWHERE
    }  # fmt: skip
    assert not lacking
    needless = {word for word, _ in words if (command, word) in ELSEWHERE} & taken
    assert not needless


def test_nothing_is_said_to_be_elsewhere_that_no_command_has():
    words = {
        (path, parameter.name) for path, found in COMMANDS.items() for parameter in found.params
    }
    words |= {(path.partition(" ")[0], word) for path, word in words}
    said = {key for key in ELSEWHERE if isinstance(key, tuple)}
    assert said <= words


def test_the_manual_names_every_twin(request):
    page = (request.config.rootpath / "docs" / "python.md").read_text(encoding="utf-8")
    commands = {name.partition(" --")[0] for name in TWINS} - set(GALLERY_METHODS)
    assert not {name for name in commands if f"`promptreid {name}" not in page}
