-- The schema as sqlc reads it, in Postgres' words: the same tables and columns as migrations/sqlite, with the types that both engines
-- have in common. store/sqlite has a test that the two agree.

-- Times are microseconds since 1970 UTC, 0 for none. Money is micro-dollars. Booleans are 0 or 1. JSON is text.

CREATE TABLE person (
  id            TEXT PRIMARY KEY,
  name          TEXT NOT NULL,
  username      TEXT NOT NULL UNIQUE,
  password_hash TEXT NOT NULL,
  created_at    BIGINT NOT NULL,
  role          TEXT NOT NULL DEFAULT 'owner',
  suspended_at  BIGINT NOT NULL DEFAULT 0
);

-- Links by which one person joins as a member, once. hash is the SHA-256 of the link's token.
CREATE TABLE invitation (
  hash       BYTEA PRIMARY KEY,
  label      TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);

CREATE TABLE session (
  hash       BYTEA PRIMARY KEY,
  person_id  TEXT NOT NULL REFERENCES person (id),
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  agent      TEXT NOT NULL,
  address    TEXT NOT NULL,
  seen_at    BIGINT NOT NULL
);

CREATE TABLE passkey (
  id         BYTEA PRIMARY KEY,
  person_id  TEXT NOT NULL REFERENCES person (id),
  public_key BYTEA NOT NULL,
  sign_count BIGINT NOT NULL,
  transports TEXT NOT NULL,
  eligible   BIGINT NOT NULL,
  backed_up  BIGINT NOT NULL,
  label      TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  used_at    BIGINT NOT NULL
);
CREATE INDEX passkey_person ON passkey (person_id);

CREATE TABLE identity (
  hash      BYTEA PRIMARY KEY,
  person_id TEXT NOT NULL REFERENCES person (id),
  issuer    TEXT NOT NULL,
  subject   TEXT NOT NULL,
  email     TEXT NOT NULL,
  linked_at BIGINT NOT NULL
);
CREATE INDEX identity_person ON identity (person_id);
CREATE TABLE identity_gone (
  hash BYTEA PRIMARY KEY,
  at   BIGINT NOT NULL
);

-- person_id: whom it stands for; '' for the owner.
CREATE TABLE owner_token (
  hash       BYTEA PRIMARY KEY,
  label      TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  person_id  TEXT NOT NULL DEFAULT ''
);

-- Of a provider's keys the one chosen last is lent. refused_at: since when its provider refuses it; 0: it does not.
-- payer: whose it is, 'owner' or a member's id.
CREATE TABLE credential (
  id         TEXT PRIMARY KEY,
  provider   TEXT NOT NULL,
  label      TEXT NOT NULL,
  sealed     BYTEA NOT NULL,
  created_at BIGINT NOT NULL,
  tested_at  BIGINT NOT NULL,
  test_error TEXT NOT NULL,
  payer      TEXT NOT NULL DEFAULT 'owner',
  version    BIGINT NOT NULL DEFAULT 1,
  chosen_at  BIGINT NOT NULL DEFAULT 0,
  rotated_at BIGINT NOT NULL DEFAULT 0,
  refused_at BIGINT NOT NULL DEFAULT 0
);

-- Providers that the owner has added: servers that speak OpenAI's dialect. headers and models are JSON.
CREATE TABLE compatible (
  name       TEXT PRIMARY KEY,
  version    BIGINT NOT NULL CHECK (version > 0),
  title      TEXT NOT NULL,
  preset     TEXT NOT NULL,
  base       TEXT NOT NULL,
  local      BIGINT NOT NULL,
  auth       TEXT NOT NULL,
  headers    TEXT NOT NULL,
  models     TEXT NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE signing_key (
  id         TEXT PRIMARY KEY,
  state      TEXT NOT NULL,
  sealed     BYTEA NOT NULL,
  public     BYTEA NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE setting (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
);

-- payer: whose keys are lent, 'owner' or a member's id; '' while nobody has answered.
CREATE TABLE grants (
  id          TEXT PRIMARY KEY,
  request_id  TEXT NOT NULL,
  version     BIGINT NOT NULL,
  state       TEXT NOT NULL,
  app_name    TEXT NOT NULL,
  app_url     TEXT NOT NULL,
  reason      TEXT NOT NULL,
  asked       TEXT NOT NULL,
  details     TEXT NOT NULL,
  secret_hash BYTEA NOT NULL,
  owner_id    TEXT NOT NULL,
  created_at  BIGINT NOT NULL,
  expires_at  BIGINT NOT NULL,
  approved_at BIGINT NOT NULL,
  revoked_at  BIGINT NOT NULL,
  notes       TEXT NOT NULL,
  keep_answers BIGINT NOT NULL DEFAULT 0,
  client_id   TEXT NOT NULL DEFAULT '',
  site        TEXT NOT NULL DEFAULT '',
  checked     BIGINT NOT NULL DEFAULT 0,
  jkt         TEXT NOT NULL DEFAULT '',
  parent_id   TEXT NOT NULL DEFAULT '',
  actor       TEXT NOT NULL DEFAULT '',
  extends_id  TEXT NOT NULL DEFAULT '',
  above       TEXT NOT NULL DEFAULT '',
  payer       TEXT NOT NULL DEFAULT 'owner'
);
CREATE INDEX grants_payer ON grants ((CASE payer WHEN '' THEN 'owner' ELSE payer END), created_at, id) WHERE parent_id = '';
CREATE INDEX grants_asked ON grants (created_at, id) WHERE parent_id = '';
CREATE INDEX grants_pending ON grants (created_at, id) WHERE state = 'pending';
CREATE INDEX grants_parent ON grants (parent_id) WHERE parent_id <> '';

-- seq 0 is the grant's total; it alone carries status and end, so that a hold reads one row to know all.
-- seq 1 and up, one for each detail, are there only where a grant has several details.
-- settled + held may pass cap: a bill above its hold must be recordable. The hold tests the cap.
CREATE TABLE budget (
  grant_id   TEXT NOT NULL REFERENCES grants (id),
  seq        BIGINT NOT NULL CHECK (seq >= 0),
  status     TEXT NOT NULL,
  expires_at BIGINT NOT NULL,
  cap        BIGINT NOT NULL CHECK (cap >= 0),
  settled    BIGINT NOT NULL CHECK (settled >= 0),
  held       BIGINT NOT NULL CHECK (held >= 0),
  calls_cap  BIGINT NOT NULL CHECK (calls_cap >= 0),
  calls      BIGINT NOT NULL CHECK (calls >= 0),
  -- of a grant that was narrowed from another, on each row: that one, and which row of it the calls of this row are counted on besides
  -- its total; 0: on no other
  parent_id  TEXT NOT NULL DEFAULT '',
  parent_seq BIGINT NOT NULL DEFAULT 0,
  -- whose monthly limits its calls count on: a member's id, '' for the owner
  member     TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (grant_id, seq)
);

-- The most that all grants of one person together may spend in a UTC month. 'person' is over everything, 'key:openai' over what goes to that
-- provider; a member's are 'person:<id>' and 'key:openai:<id>'. 'credential:<id>' is over what goes there with that key. No row: no such ceiling.
-- cap is the lower of what the person has set and what the owner lets them have; -1: not set.
CREATE TABLE ceiling (
  id   TEXT PRIMARY KEY,
  cap  BIGINT NOT NULL CHECK (cap >= 0),
  own  BIGINT NOT NULL DEFAULT -1,
  most BIGINT NOT NULL DEFAULT -1
);

-- What a month has on a ceiling; opened by the first hold of the month, or when the ceiling is set. settled and held are the sums of the
-- reservations that name the month. earlier is what the month had cost before the ceiling was set; those reservations name no month.
CREATE TABLE ceiling_month (
  id      TEXT NOT NULL,
  month   BIGINT NOT NULL,
  earlier BIGINT NOT NULL CHECK (earlier >= 0),
  settled BIGINT NOT NULL CHECK (settled >= 0),
  held    BIGINT NOT NULL CHECK (held >= 0),
  PRIMARY KEY (id, month)
);

-- No foreign key to grants: the hold has read the budget row of the grant in the same transaction, and it is the hot table.
CREATE TABLE reservation (
  id             TEXT PRIMARY KEY,
  grant_id       TEXT NOT NULL,
  detail         BIGINT NOT NULL CHECK (detail >= 0),
  provider       TEXT NOT NULL,
  model          TEXT NOT NULL,
  stream         BIGINT NOT NULL,
  tariff         TEXT NOT NULL,
  state          TEXT NOT NULL,
  amount         BIGINT NOT NULL CHECK (amount >= 0),
  actual         BIGINT NOT NULL DEFAULT 0 CHECK (actual >= 0),
  reached        BIGINT NOT NULL DEFAULT 1,
  why            TEXT NOT NULL DEFAULT '',
  usage_known    BIGINT NOT NULL DEFAULT 0,
  input          BIGINT NOT NULL DEFAULT 0,
  cache_read     BIGINT NOT NULL DEFAULT 0,
  cache_write    BIGINT NOT NULL DEFAULT 0,
  cache_write_1h BIGINT NOT NULL DEFAULT 0,
  output         BIGINT NOT NULL DEFAULT 0,
  reasoning      BIGINT NOT NULL DEFAULT 0,
  created_at     BIGINT NOT NULL,
  ended_at       BIGINT NOT NULL DEFAULT 0,
  owner          TEXT NOT NULL DEFAULT '',
  epoch          BIGINT NOT NULL DEFAULT 0,
  input_audio    BIGINT NOT NULL DEFAULT 0,
  input_image    BIGINT NOT NULL DEFAULT 0,
  cache_audio    BIGINT NOT NULL DEFAULT 0,
  cache_image    BIGINT NOT NULL DEFAULT 0,
  output_audio   BIGINT NOT NULL DEFAULT 0,
  output_image   BIGINT NOT NULL DEFAULT 0,
  searches       BIGINT NOT NULL DEFAULT 0,
  file_searches  BIGINT NOT NULL DEFAULT 0,
  audio_seconds  BIGINT NOT NULL DEFAULT 0,
  -- the months of the ceilings that this hold took from, as 202611; 0: it took from none
  person_month   BIGINT NOT NULL DEFAULT 0,
  key_month      BIGINT NOT NULL DEFAULT 0,
  -- the key that the call was made with; '' where that was not noted, or none was needed. The month as above, of the key's own ceiling
  credential_id  TEXT NOT NULL DEFAULT '',
  credential_month BIGINT NOT NULL DEFAULT 0,
  -- whose ceilings those of person_month and key_month are: a member's id, '' for the owner
  member         TEXT NOT NULL DEFAULT ''
);
CREATE INDEX reservation_grant ON reservation (grant_id, id);
CREATE INDEX reservation_open ON reservation (id) WHERE state = 'held';

CREATE TABLE token (
  id         TEXT PRIMARY KEY,
  grant_id   TEXT NOT NULL REFERENCES grants (id),
  issued_at  BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  revoked_at BIGINT NOT NULL
);
CREATE INDEX token_grant ON token (grant_id);
CREATE INDEX token_ends ON token (grant_id, expires_at);
CREATE INDEX token_end ON token (expires_at);

-- An SDK key stands for a token that its holder never sees: that row has its grant, its end and whether it is revoked. hash is the
-- SHA-256 of the key; start is the beginning of it that is shown.
CREATE TABLE sdk_key (
  id       TEXT PRIMARY KEY REFERENCES token (id),
  grant_id TEXT NOT NULL REFERENCES grants (id),
  hash     BYTEA NOT NULL UNIQUE,
  name     TEXT NOT NULL,
  start    TEXT NOT NULL,
  used_at  BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX sdk_key_grant ON sdk_key (grant_id, id);

-- Devices that wait for an answer (RFC 8628). hash is the SHA-256 of the device code. The user code is no secret: without the owner's
-- session it opens nothing, and the consent page shows it. wait is in microseconds.
CREATE TABLE device_code (
  hash       BYTEA PRIMARY KEY,
  user_code  TEXT NOT NULL UNIQUE,
  client_id  TEXT NOT NULL,
  grant_id   TEXT NOT NULL UNIQUE,
  jkt        TEXT NOT NULL,
  sender     TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  wait       BIGINT NOT NULL,
  polled_at  BIGINT NOT NULL,
  used       BIGINT NOT NULL
);
CREATE INDEX device_code_age ON device_code (created_at, hash);

-- Requests for a key in OpenRouter's shape. code_hash is the SHA-256 of the code that is out; empty: none.
-- browser is the SHA-256 of the cookie of the browser that opened it: no other answers it.
CREATE TABLE key_request (
  grant_id   TEXT PRIMARY KEY,
  callback   TEXT NOT NULL,
  challenge  TEXT NOT NULL,
  code_hash  BYTEA NOT NULL,
  code_ends  BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  used       BIGINT NOT NULL,
  browser    BYTEA NOT NULL DEFAULT ''
);
CREATE INDEX key_request_age ON key_request (created_at, grant_id);
CREATE INDEX key_request_code ON key_request (code_hash) WHERE used = 0;

-- Which call has an Idempotency-Key of a grant. Written in the transaction of the call's hold, so that no crash can leave one
-- without the other. Hashes are keyed: neither key nor body can be guessed from them.
CREATE TABLE claim (
  grant_id       TEXT NOT NULL,
  key_hash       BYTEA NOT NULL,
  body_hash      BYTEA NOT NULL,
  reservation_id TEXT NOT NULL,
  created_at     BIGINT NOT NULL,
  PRIMARY KEY (grant_id, key_hash)
);
CREATE INDEX claim_age ON claim (created_at);

-- Answers that an owner allows to be kept for a day, sealed. A whole answer or none.
CREATE TABLE answer (
  reservation_id TEXT PRIMARY KEY,
  grant_id       TEXT NOT NULL,
  sealed         BYTEA NOT NULL,
  created_at     BIGINT NOT NULL
);
CREATE INDEX answer_age ON answer (created_at, reservation_id);
CREATE INDEX answer_grant ON answer (grant_id);

-- What works once and has been used: the SHA-256 of a DPoP proof's or a client assertion's jti, until when that would have worked.
CREATE TABLE seen (
  kind  TEXT NOT NULL,
  hash  BYTEA NOT NULL,
  until BIGINT NOT NULL,
  PRIMARY KEY (kind, hash)
);
CREATE INDEX seen_until ON seen (until);

-- What a grant, or a month of a ceiling, was told of already: once, until its cap is changed.
CREATE TABLE told (
  subject TEXT NOT NULL,
  kind    TEXT NOT NULL,
  PRIMARY KEY (subject, kind)
);

-- What a grant had spent at a time, as the look of each minute finds it: where that has changed, at most one in ten minutes, and fewer the
-- older they are.
CREATE TABLE spent_mark (
  grant_id TEXT NOT NULL,
  at       BIGINT NOT NULL,
  settled  BIGINT NOT NULL,
  PRIMARY KEY (grant_id, at)
);

-- What the owner is to see until they have seen it, written with its event: one for each subject (a grant, or a provider key by the note of its
-- events) and kind, the newest. payer is whose it is.
CREATE TABLE notice (
  subject TEXT NOT NULL,
  kind    TEXT NOT NULL,
  id      TEXT NOT NULL,
  payer   TEXT NOT NULL,
  at      BIGINT NOT NULL,
  note    TEXT NOT NULL,
  PRIMARY KEY (subject, kind)
);
CREATE INDEX notice_payer ON notice (payer, at, id);

-- The owner's webhook: one row or none. holder is the instance that sends, until holder_until.
CREATE TABLE webhook (
  id           TEXT PRIMARY KEY,
  site         TEXT NOT NULL,
  sealed       BYTEA NOT NULL,
  created_at   BIGINT NOT NULL,
  tries        BIGINT NOT NULL DEFAULT 0,
  next_at      BIGINT NOT NULL DEFAULT 0,
  last_at      BIGINT NOT NULL DEFAULT 0,
  last_kind    TEXT NOT NULL DEFAULT '',
  last_error   TEXT NOT NULL DEFAULT '',
  holder       TEXT NOT NULL DEFAULT '',
  holder_until BIGINT NOT NULL DEFAULT 0
);

-- Events that the webhook is still to be told of. Written in the transaction of the event, removed when its delivery is over.
CREATE TABLE delivery (
  event_id TEXT PRIMARY KEY,
  kind     TEXT NOT NULL,
  at       BIGINT NOT NULL,
  actor    TEXT NOT NULL,
  grant_id TEXT NOT NULL,
  note     TEXT NOT NULL
);
CREATE INDEX delivery_order ON delivery (at, event_id);

-- OAuth clients that registered themselves or were registered by the owner. redirect_uris and jwks are JSON; secret_hash and manage_hash
-- are SHA-256, empty for none.
CREATE TABLE client (
  id            TEXT PRIMARY KEY,
  kind          TEXT NOT NULL,
  name          TEXT NOT NULL,
  uri           TEXT NOT NULL,
  redirect_uris TEXT NOT NULL,
  auth          TEXT NOT NULL,
  secret_hash   BYTEA NOT NULL,
  jwks          TEXT NOT NULL,
  jwks_uri      TEXT NOT NULL,
  dpop          BIGINT NOT NULL,
  manage_hash   BYTEA NOT NULL,
  created_at    BIGINT NOT NULL,
  used_at       BIGINT NOT NULL
);
CREATE INDEX client_kind ON client (kind, created_at);
CREATE INDEX grants_client ON grants (client_id) WHERE client_id <> '';

-- Rows are never removed, so the next seq is always above every seq there was.
CREATE TABLE event (
  seq      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id       TEXT NOT NULL,
  kind     TEXT NOT NULL,
  at       BIGINT NOT NULL,
  actor    TEXT NOT NULL,
  grant_id TEXT NOT NULL,
  note     TEXT NOT NULL,
  -- of one that is about no grant: whom it is for besides who did it, 'owner' or a member's id; '': the owner, if no person did it
  payer    TEXT NOT NULL DEFAULT ''
);
-- What the owner reads of a grant. Calls and tokens, the many, are not in it.
CREATE INDEX event_grant ON event (grant_id, seq) WHERE kind <> 'call.held' AND kind <> 'call.settled' AND kind <> 'token.issued';

-- Authorization requests that clients pushed (RFC 9126). hash is the SHA-256 of the request_uri; a row is taken by removing it.
CREATE TABLE pushed_request (
  hash       BYTEA PRIMARY KEY,
  client_id  TEXT NOT NULL,
  parameters TEXT NOT NULL,
  jkt        TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX pushed_request_end ON pushed_request (expires_at);

-- How a grant that was asked for at the authorization endpoint is answered. browser and code are SHA-256 hashes; code is NULL until there
-- is one.
CREATE TABLE authorization_request (
  grant_id      TEXT PRIMARY KEY,
  client_id     TEXT NOT NULL,
  redirect_uri  TEXT NOT NULL,
  redirect_sent BIGINT NOT NULL,
  state         TEXT NOT NULL,
  challenge     TEXT NOT NULL,
  jkt           TEXT NOT NULL,
  browser       BYTEA NOT NULL,
  created_at    BIGINT NOT NULL,
  expires_at    BIGINT NOT NULL,
  code          BYTEA UNIQUE,
  code_until    BIGINT NOT NULL DEFAULT 0,
  redeemed_at   BIGINT NOT NULL DEFAULT 0,
  given_at      BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX authorization_request_end ON authorization_request (expires_at);

-- Refresh tokens, by their SHA-256. Used ones stay for a while: one that comes again is known to be stolen.
CREATE TABLE refresh_token (
  hash      BYTEA PRIMARY KEY,
  grant_id  TEXT NOT NULL REFERENCES grants (id),
  seq       BIGINT NOT NULL,
  issued_at BIGINT NOT NULL,
  used_at   BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX refresh_token_grant ON refresh_token (grant_id, seq);
