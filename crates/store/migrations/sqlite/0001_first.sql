-- Every hot table's primary key begins with the person; every row carries its issuer. Times are UTC milliseconds.
-- No sequences, triggers or functions: what decides is a constraint or a compare-and-set in the statement itself.

CREATE TABLE issuers (
    issuer_id BLOB PRIMARY KEY, slug TEXT NOT NULL UNIQUE, created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE people (
    person_id BLOB PRIMARY KEY, issuer_id BLOB NOT NULL, address TEXT, handle TEXT, created_at INTEGER NOT NULL, erased_at INTEGER,
    UNIQUE (issuer_id, address), UNIQUE (issuer_id, handle)
) STRICT;

-- A handle that was given up stays its former owner's, under its hash.
CREATE TABLE released_handles (
    issuer_id BLOB NOT NULL, handle_hash BLOB NOT NULL, person_id BLOB NOT NULL,
    PRIMARY KEY (issuer_id, handle_hash)
) STRICT;

CREATE TABLE sign_in_links (
    token_hash BLOB PRIMARY KEY, issuer_id BLOB NOT NULL, address TEXT NOT NULL, next_path TEXT NOT NULL,
    created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, used_at INTEGER
) STRICT;

CREATE TABLE sessions (
    token_hash BLOB PRIMARY KEY, issuer_id BLOB NOT NULL, person_id BLOB NOT NULL,
    created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_by_person ON sessions (person_id);

-- A wait outlives an erased account, under a keyed hash of the address, so that erasing is no way round it.
CREATE TABLE kept_waits (
    issuer_id BLOB NOT NULL, address_mac BLOB NOT NULL, programme TEXT NOT NULL, next_start_at INTEGER NOT NULL, fails INTEGER NOT NULL,
    PRIMARY KEY (issuer_id, address_mac, programme)
) STRICT;

CREATE TABLE programme_versions (
    issuer_id BLOB NOT NULL, programme TEXT NOT NULL, version TEXT NOT NULL, document TEXT NOT NULL, published_at INTEGER NOT NULL,
    PRIMARY KEY (issuer_id, programme, version)
) STRICT;

CREATE TABLE programmes (
    issuer_id BLOB NOT NULL, programme TEXT NOT NULL, version TEXT NOT NULL, pool_version TEXT NOT NULL,
    PRIMARY KEY (issuer_id, programme)
) STRICT;

CREATE TABLE items (
    issuer_id BLOB NOT NULL, programme TEXT NOT NULL, item_id TEXT NOT NULL, version TEXT NOT NULL,
    question TEXT NOT NULL, answer_key BLOB NOT NULL, about TEXT NOT NULL,
    PRIMARY KEY (issuer_id, programme, item_id, version)
) STRICT;

CREATE TABLE pool_items (
    issuer_id BLOB NOT NULL, programme TEXT NOT NULL, pool_version TEXT NOT NULL, item_id TEXT NOT NULL, item_version TEXT NOT NULL,
    domain TEXT NOT NULL, family TEXT NOT NULL, enemies TEXT NOT NULL, option_count INTEGER NOT NULL,
    PRIMARY KEY (issuer_id, programme, pool_version, item_id)
) STRICT;

CREATE TABLE exposures (
    issuer_id BLOB NOT NULL, programme TEXT NOT NULL, item_id TEXT NOT NULL, shown INTEGER NOT NULL,
    PRIMARY KEY (issuer_id, programme, item_id)
) STRICT;

CREATE TABLE lesson_marks (
    person_id BLOB NOT NULL, issuer_id BLOB NOT NULL, programme TEXT NOT NULL, lesson TEXT NOT NULL, done_at INTEGER NOT NULL,
    PRIMARY KEY (person_id, programme, lesson)
) STRICT;

-- One row per person and programme: the value that a start compares and sets.
CREATE TABLE standings (
    person_id BLOB NOT NULL, issuer_id BLOB NOT NULL, programme TEXT NOT NULL,
    next_start_at INTEGER NOT NULL, fails INTEGER NOT NULL, passed_version TEXT,
    PRIMARY KEY (person_id, programme)
) STRICT;

CREATE TABLE attempts (
    person_id BLOB NOT NULL, attempt_id BLOB NOT NULL, issuer_id BLOB NOT NULL, programme TEXT NOT NULL,
    programme_version TEXT NOT NULL, pool_version TEXT NOT NULL, badge_version TEXT NOT NULL,
    rules TEXT NOT NULL, draw TEXT NOT NULL, holder_name TEXT NOT NULL, state TEXT NOT NULL CHECK (state IN ('open', 'submitted')),
    started_at INTEGER NOT NULL, deadline INTEGER, submitted_at INTEGER, outcome TEXT, retake_at INTEGER,
    PRIMARY KEY (person_id, attempt_id)
) STRICT;
CREATE UNIQUE INDEX one_open_attempt ON attempts (person_id, programme) WHERE state = 'open';
CREATE INDEX open_with_deadline ON attempts (deadline) WHERE state = 'open' AND deadline IS NOT NULL;

CREATE TABLE form_items (
    person_id BLOB NOT NULL, attempt_id BLOB NOT NULL, position INTEGER NOT NULL, issuer_id BLOB NOT NULL, programme TEXT NOT NULL,
    item_id TEXT NOT NULL, item_version TEXT NOT NULL, domain TEXT NOT NULL, options TEXT NOT NULL, shown_before INTEGER NOT NULL,
    first_shown_at INTEGER, flagged INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (person_id, attempt_id, position)
) STRICT;

CREATE TABLE responses (
    person_id BLOB NOT NULL, attempt_id BLOB NOT NULL, position INTEGER NOT NULL, issuer_id BLOB NOT NULL,
    chosen TEXT NOT NULL, revision INTEGER NOT NULL, device TEXT NOT NULL, counter INTEGER NOT NULL, saved_at INTEGER NOT NULL,
    PRIMARY KEY (person_id, attempt_id, position)
) STRICT;

CREATE TABLE response_saves (
    person_id BLOB NOT NULL, attempt_id BLOB NOT NULL, position INTEGER NOT NULL, revision INTEGER NOT NULL, issuer_id BLOB NOT NULL,
    saved_at INTEGER NOT NULL,
    PRIMARY KEY (person_id, attempt_id, position, revision)
) STRICT;

CREATE TABLE problem_reports (
    person_id BLOB NOT NULL, report_id BLOB NOT NULL, issuer_id BLOB NOT NULL, attempt_id BLOB NOT NULL, position INTEGER NOT NULL,
    programme TEXT NOT NULL, item_id TEXT NOT NULL, item_version TEXT NOT NULL, words TEXT NOT NULL, reported_at INTEGER NOT NULL,
    PRIMARY KEY (person_id, report_id)
) STRICT;

CREATE TABLE awards (
    person_id BLOB NOT NULL, award_id BLOB NOT NULL, issuer_id BLOB NOT NULL, programme TEXT NOT NULL, badge_version TEXT NOT NULL,
    attempt_id BLOB NOT NULL, badge_id TEXT NOT NULL UNIQUE, holder_name TEXT, name_corrected INTEGER NOT NULL DEFAULT 0,
    visibility TEXT NOT NULL, show_score INTEGER NOT NULL DEFAULT 0, revision INTEGER NOT NULL DEFAULT 1,
    awarded_at INTEGER NOT NULL, revoked_at INTEGER, revoked_reason TEXT, withdrawn_at INTEGER,
    PRIMARY KEY (person_id, award_id),
    UNIQUE (person_id, programme, badge_version)
) STRICT;

-- What is about to be signed, kept before it is: a crashed step repeats with the same bytes.
CREATE TABLE credential_intents (
    award_id BLOB NOT NULL, kind TEXT NOT NULL, revision INTEGER NOT NULL, issuer_id BLOB NOT NULL, person_id BLOB NOT NULL,
    status_list INTEGER NOT NULL, status_index INTEGER NOT NULL, unsigned TEXT NOT NULL, verification_method TEXT NOT NULL,
    intended_at INTEGER NOT NULL,
    PRIMARY KEY (award_id, kind, revision),
    UNIQUE (issuer_id, status_list, status_index)
) STRICT;

CREATE TABLE credentials (
    award_id BLOB NOT NULL, kind TEXT NOT NULL, revision INTEGER NOT NULL, issuer_id BLOB NOT NULL, person_id BLOB NOT NULL,
    document TEXT, sha256 BLOB NOT NULL, stored_at INTEGER NOT NULL, revoked_at INTEGER,
    PRIMARY KEY (award_id, kind, revision)
) STRICT;
CREATE INDEX revoked_credentials ON credentials (issuer_id, revoked_at) WHERE revoked_at IS NOT NULL;

CREATE TABLE jobs (
    job_id BLOB PRIMARY KEY, issuer_id BLOB NOT NULL, kind TEXT NOT NULL, dedup TEXT NOT NULL, payload TEXT NOT NULL,
    person_id BLOB, run_at INTEGER NOT NULL, tries INTEGER NOT NULL DEFAULT 0, leased_until INTEGER, lease_owner TEXT,
    done_at INTEGER, last_error TEXT,
    UNIQUE (kind, dedup)
) STRICT;
CREATE INDEX jobs_waiting ON jobs (run_at) WHERE done_at IS NULL;

CREATE TABLE audit_log (
    row_id BLOB PRIMARY KEY, issuer_id BLOB NOT NULL, at INTEGER NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL,
    object TEXT NOT NULL, detail TEXT NOT NULL
) STRICT;
CREATE INDEX audit_by_time ON audit_log (issuer_id, at);
