//! What PostgreSQL itself takes: upserts written by hand into a table like the one that answers are kept in, beside what the server
//! saves over HTTP in a database of the same PostgreSQL.

use std::{
    cell::RefCell,
    rc::Rc,
    time::{Duration, Instant},
};

use serde_json::json;
use sqlx::{Connection as _, Executor as _, PgConnection, Row as _};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{
    LoadArgs, RawArgs, Sitting, Target,
    client::now,
    conditions::Conditions,
    crowd::{allow_connections, on_one_core},
    figures::{Figure, over_rounds, table},
    load,
    process::{Watched, pin},
    server::{Server, fresh_folder},
};

/// Answers of one person, as many as a form has questions.
const EACH: u64 = 50;
/// Where the rows go: a table like the server's own, in a schema that is removed at the end.
const MAKE: &str = "DROP SCHEMA IF EXISTS assay_bench CASCADE; CREATE SCHEMA assay_bench; \
    CREATE TABLE assay_bench.responses (LIKE public.responses INCLUDING ALL)";
const REMOVE: &str = "DROP SCHEMA IF EXISTS assay_bench CASCADE";
const UPSERT: &str = "INSERT INTO assay_bench.responses AS r (person_id, attempt_id, position, issuer_id, chosen, revision, device, counter, saved_at) \
    SELECT t.person, t.person, t.position, $3, '[\"abcdefgh\"]', 1, 'bench', t.position, 1800000000000 FROM UNNEST($1::uuid[], $2::bigint[]) AS t (person, position) \
    ON CONFLICT (person_id, attempt_id, position) DO UPDATE SET chosen = excluded.chosen, revision = r.revision + 1, \
    device = excluded.device, counter = excluded.counter, saved_at = excluded.saved_at";

/// Measures and prints. `false` when a request of the server's failed.
///
/// # Errors
/// Words for the person at the terminal.
pub(crate) fn run(args: &RawArgs) -> Result<bool, String> {
    allow_connections(args.people)?;
    let folder = fresh_folder()?;
    let server = Server::start_on(&args.server, folder.path(), (!args.own.no_pin).then_some(args.own.server_core), Some(&args.database))?;
    if !args.own.no_pin {
        pin(args.own.driver_core)?;
    }
    let target = Target { url: server.url.clone(), programme: args.own.programme.clone(), questions: args.own.questions };
    let load = LoadArgs { sitting: Sitting::plain(target, args.people, args.own.seed) };
    let process = server.pid().and_then(Watched::with_pid);
    let (rounds, faults, synchronous) = on_one_core(async {
        let (mut rounds, mut faults) = (Vec::new(), Vec::new());
        let synchronous = words(async { connect(args).await?.fetch_one("SHOW synchronous_commit").await?.try_get::<String, _>(0) }).await?;
        for number in 1..=args.rounds {
            let played = load::play(&load, process, number).await;
            let saves = played.figures.iter().find(|figure| figure.key == "saves_per_s").and_then(|figure| figure.value);
            faults.extend(played.trace.faults);
            let single = words(upserts(args, 1)).await?;
            let batched = words(upserts(args, args.batch)).await?;
            eprintln!("round {number} of {}, {} failed", args.rounds, faults.len());
            rounds.push(vec![
                Figure::new("saves_per_s", "server: saves, with their pages", "per s", saves),
                Figure::new("single_per_s", "raw: one upsert a transaction", "per s", Some(single)),
                Figure::new("batched_per_s", format!("raw: {} upserts a transaction", args.batch), "per s", Some(batched)),
                Figure::new("single_ratio", "server, of raw one by one", "", saves.map(|saves| saves / single)),
                Figure::new("batched_ratio", "server, of raw batches", "", saves.map(|saves| saves / batched)),
            ]);
        }
        words(async { connect(args).await?.execute(REMOVE).await }).await?;
        Ok((rounds, faults, synchronous))
    })?;
    let rows = over_rounds(&rounds);
    let conditions = Conditions::read(process);
    if args.own.json {
        let run = json!({
            "mode": "raw", "people": args.people, "connections": args.connections, "batch": args.batch, "seconds": args.seconds,
            "rounds": args.rounds, "synchronous_commit": synchronous, "machine": conditions,
        });
        println!("{:#}", json!({ "conditions": run, "median": rows, "rounds": rounds, "faults": faults }));
    } else {
        println!(
            "{} people at the server on PostgreSQL (synchronous_commit={synchronous}), then {} connections of our own for {} s; {} rounds\n{conditions}\n",
            args.people, args.connections, args.seconds, args.rounds
        );
        print!("{}", table(&rows));
    }
    for fault in faults.iter().take(20) {
        eprintln!("failed: {fault}");
    }
    Ok(faults.is_empty())
}

async fn words<T>(work: impl Future<Output = sqlx::Result<T>>) -> Result<T, String> {
    work.await.map_err(|e| format!("PostgreSQL: {e}"))
}

async fn connect(args: &RawArgs) -> sqlx::Result<PgConnection> {
    PgConnection::connect(&args.database).await
}

/// Upserts a second, over all connections; the clock starts when all of them are there.
async fn upserts(args: &RawArgs, batch: u32) -> sqlx::Result<f64> {
    connect(args).await?.execute(MAKE).await?;
    let mut connections = Vec::new();
    for _ in 0..args.connections {
        connections.push(connect(args).await?);
    }
    let (length, written) = (Duration::from_secs_f64(args.seconds), Rc::new(RefCell::new(0_u64)));
    let started: Instant = now();
    let mut all = JoinSet::new();
    for (number, mut conn) in (0_u64..).zip(connections) {
        let written = written.clone();
        all.spawn_local(async move {
            let mut next = 0;
            while started.elapsed() < length {
                let rows = next..next + u64::from(batch);
                next = rows.end;
                let people: Vec<Uuid> = rows.clone().map(|row| Uuid::from_u64_pair(number, row / EACH)).collect();
                let positions: Vec<i64> = rows.map(|row| (row % EACH) as i64 + 1).collect();
                let upsert = sqlx::query(UPSERT).bind(people).bind(positions).bind(Uuid::nil());
                *written.borrow_mut() += upsert.execute(&mut conn).await?.rows_affected();
            }
            conn.close().await
        });
    }
    while let Some(ended) = all.join_next().await {
        ended.unwrap_or(Err(sqlx::Error::WorkerCrashed))?;
    }
    let all = *written.borrow() as f64;
    Ok(all / started.elapsed().as_secs_f64())
}
