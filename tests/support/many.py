"""Many annotations at once, straight into the database: for lists, exports and measurements."""

from django.db import connection

from tests.support.worlds import World


def draw_many(world: World, count: int, *, vertices: int = 20) -> None:
    """Circles of so many vertices in a grid of 0.01 degrees near 10 E 50 N, with all statuses and scores, no events."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO annotations_annotation (
                id, geometry, attributes, status, version, created_at, updated_at, area_m2, length_m, score,
                provenance, said_hash, author_id, updated_by_id, project_id, label_class_id)
            SELECT gen_random_uuid(),
                ST_ForcePolygonCCW(ST_SnapToGrid(ST_Buffer(
                    ST_SetSRID(ST_MakePoint(10 + (n %% 1000) * 0.01, 50 + n / 1000 * 0.01), 4326), 0.002,
                    'quad_segs=' || %(quarter)s), 1e-9)),
                jsonb_build_object('roof', 'flat', 'floors', n %% 7, 'note', 'number ' || n),
                (ARRAY['draft', 'submitted', 'accepted', 'changes_requested'])[1 + n %% 4],
                1, now() + n * interval '1 ms', now() - n * interval '1 ms', n, 1, (n %% 100) / 100.0,
                '{"kind": "suggested", "model": "nano", "thought_ms": 1200}', 'many', %(author)s, %(author)s,
                %(project)s, %(building)s
            FROM generate_series(0, %(count)s - 1) AS n
            """,
            {
                "quarter": max(1, vertices // 4),
                "count": count,
                "author": world.annotator.id,
                "project": world.project.id,
                "building": world.building.id,
            },
        )
        cursor.execute("ANALYZE annotations_annotation")
