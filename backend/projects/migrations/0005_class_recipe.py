"""A class's outline becomes the form of its recipe of vectorisation."""

from typing import Any

from django.db import migrations, models


def forward(apps: Any, schema_editor: Any) -> None:
    """Right angles and circles are kept; `natural` was no form."""
    rows = apps.get_model("projects", "LabelClass").objects
    for outline in ("right_angles", "circle"):
        rows.filter(outline=outline).update(recipe={"form": outline})


def backward(apps: Any, schema_editor: Any) -> None:
    """What else a recipe says is lost."""
    rows = apps.get_model("projects", "LabelClass").objects
    for outline in ("right_angles", "circle"):
        rows.filter(recipe__form=outline).update(outline=outline)


class Migration(migrations.Migration):

    dependencies = [
        ("projects", "0004_class_borders"),
    ]

    operations = [
        migrations.AddField(model_name="labelclass", name="recipe", field=models.JSONField(default=dict)),
        migrations.RunPython(forward, backward),
        migrations.RemoveField(model_name="labelclass", name="outline"),
    ]
