-- name: EventSpan :one
SELECT CAST(COALESCE(MIN(seq), 0) AS BIGINT) AS oldest, CAST(COALESCE(MAX(seq), 0) AS BIGINT) AS newest FROM event;

-- name: EventsBetween :many
SELECT e.seq, e.id, e.kind, e.at, e.actor, e.grant_id, e.note, e.payer AS meant, CAST(COALESCE(g.payer, '') AS TEXT) AS payer
FROM event e LEFT JOIN grants g ON g.id = e.grant_id
WHERE e.seq >= $1 AND e.seq < $2 AND e.kind <> 'call.held' AND e.kind <> 'call.settled' AND e.kind <> 'token.issued' ORDER BY e.seq DESC LIMIT $3;

-- name: EventsOfBefore :many
SELECT e.seq, e.id, e.kind, e.at, e.actor, e.grant_id, e.note, e.payer AS meant, CAST(COALESCE(g.payer, '') AS TEXT) AS payer
FROM event e LEFT JOIN grants g ON g.id = e.grant_id
WHERE e.grant_id = $1 AND e.seq < $2 AND e.kind <> 'call.held' AND e.kind <> 'call.settled' AND e.kind <> 'token.issued' ORDER BY e.seq DESC LIMIT $3;
