-- name: Compatibles :many
SELECT * FROM compatible ORDER BY name;

-- name: CountCompatibles :one
SELECT COUNT(*) FROM compatible;

-- name: AddCompatible :execrows
INSERT INTO compatible (name, version, title, preset, base, local, auth, headers, models, created_at)
VALUES ($1, 1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (name) DO NOTHING;

-- name: ChangeCompatible :execrows
UPDATE compatible SET version = version + 1, title = $1, preset = $2, base = $3, local = $4, auth = $5, headers = $6, models = $7
WHERE name = $8 AND version = $9;

-- name: HasCompatible :one
SELECT COUNT(*) FROM compatible WHERE name = $1;

-- name: RemoveCompatible :execrows
DELETE FROM compatible WHERE name = $1;

-- name: RemoveCredentialsOf :execrows
DELETE FROM credential WHERE provider = $1;
