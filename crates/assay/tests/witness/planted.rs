//! The witness itself on trial: histories with one fault of each kind, and thousands made up by chance, with and without one.

use assay_core::chance::SeededChance;
use proptest::prelude::*;

use super::{Asked, Fault, Kind, Op, Options, Said, Stands, Whole, explain, search, settle};

const NEVER: u64 = u64::MAX;

fn op(asked_at: u64, answered_at: u64, asked: Asked, said: Said) -> Op {
    Op { asked_at, answered_at, asked, said }
}

fn save(device: u16, counter: i64, base: i64, chosen: u32) -> Asked {
    Asked::Save { device, counter, base, chosen: Options(chosen) }
}

fn saved(revision: i64) -> Said {
    Said::Saved { revision }
}

fn shows(revision: i64, chosen: u32) -> Said {
    Said::Shows { revision, chosen: Options(chosen) }
}

fn newer(revision: i64, chosen: u32) -> Said {
    Said::Newer { revision, chosen: Options(chosen) }
}

fn found(ops: &[Op]) -> Option<Kind> {
    explain(ops).err().map(|fault| fault.kind)
}

#[test]
fn what_can_happen_is_explained() {
    use Asked::{Export, HandIn, Look};
    // Two devices, a conflict, a repeat, a look in the middle of a save that sees either.
    let both = [
        op(0, 10, save(1, 1, 0, 1), saved(1)),
        op(5, 20, Look, shows(1, 1)),
        op(12, 22, save(2, 1, 0, 2), newer(1, 1)),
        op(23, 40, save(2, 2, 1, 2), saved(2)),
        op(24, 30, Look, shows(1, 1)),
        op(25, 31, Look, shows(2, 2)),
        op(41, 50, save(2, 2, 1, 2), saved(2)),
        op(60, 70, HandIn, Said::HandedIn),
        op(65, 75, save(1, 2, 2, 1), Said::Over),
        op(80, 90, Export, shows(2, 2)),
    ];
    assert_eq!(found(&both), None);
    // No answer: done at once, done late, or never.
    let silent = op(0, NEVER, save(1, 1, 0, 1), Said::Nothing);
    for seen in [shows(1, 1), shows(0, 0)] {
        assert_eq!(found(&[silent, op(5, 10, Look, seen)]), None);
    }
    assert_eq!(found(&[silent, op(5, 10, Look, shows(0, 0)), op(11, 12, Look, shows(1, 1))]), None);
    // A copy of it that comes late changes nothing.
    let late = [silent, op(5, 10, save(1, 2, 0, 2), saved(1)), op(11, 12, Look, shows(1, 2))];
    assert_eq!(found(&late), None);
}

#[test]
fn each_fault_is_found_and_named() {
    use Asked::{Export, HandIn, Look};
    let one = op(0, 10, save(1, 1, 0, 1), saved(1));
    let two = op(20, 30, save(1, 2, 0, 2), saved(2));
    let cases: [(Kind, &str, Vec<Op>); 14] = [
        (Kind::Lost, "the only answer", vec![one, op(11, 12, Look, shows(0, 0))]),
        (Kind::Lost, "the last answer", vec![one, two, op(31, 32, Export, shows(1, 1))]),
        (Kind::Lost, "beneath another's", vec![one, op(12, 20, save(2, 1, 0, 2), saved(1)), op(31, 32, Export, shows(1, 2))]),
        (Kind::Lost, "another answer stands", vec![one, op(31, 32, Export, shows(1, 2))]),
        (Kind::Lost, "after a hand-in", vec![one, two, op(31, 32, HandIn, Said::HandedIn), op(40, 41, Export, shows(1, 1))]),
        (Kind::Stale, "a look", vec![one, two, op(31, 32, Look, shows(1, 1)), op(33, 34, Look, shows(2, 2))]),
        (
            Kind::Stale,
            "two looks at one time",
            vec![
                op(0, NEVER, save(1, 1, 0, 1), Said::Nothing),
                op(1, 2, Look, shows(1, 1)),
                op(3, 4, Look, shows(0, 0)),
                op(5, 6, Look, shows(1, 1)),
            ],
        ),
        (
            Kind::Stale,
            "in the words of a conflict",
            vec![one, two, op(31, 32, save(2, 1, 0, 4), newer(1, 1)), op(33, 34, Look, shows(2, 2))],
        ),
        (Kind::Doubled, "a save", vec![one, op(11, 12, Look, shows(2, 1))]),
        (Kind::Doubled, "a repeat", vec![one, op(11, 20, save(1, 1, 0, 1), saved(2)), op(31, 32, Export, shows(2, 1))]),
        (Kind::Doubled, "a save without an answer", vec![op(0, NEVER, save(1, 1, 0, 1), Said::Nothing), op(31, 32, Export, shows(2, 1))]),
        (
            Kind::Late,
            "a save after the end",
            vec![one, op(11, 12, HandIn, Said::HandedIn), op(20, 30, save(1, 2, 0, 2), saved(2)), op(31, 32, Export, shows(2, 2))],
        ),
        (
            Kind::Unexplained,
            "an answer that nobody gave",
            vec![op(0, NEVER, save(1, 1, 0, 1), Said::Nothing), op(11, 12, Look, shows(1, 2))],
        ),
        (
            Kind::Unexplained,
            "another device overruled unasked",
            vec![one, op(12, 20, save(2, 1, 0, 2), saved(2)), op(31, 32, Export, shows(2, 2))],
        ),
    ];
    for (kind, words, ops) in cases {
        assert_eq!(found(&ops), Some(kind), "{words}");
    }
}

#[test]
fn what_is_kept_of_a_person_is_settled() {
    let sound = Whole {
        told_begun: vec!["a".into()],
        told_handed_in: true,
        kept: vec![("a".into(), true)],
        passed: Some(true),
        all_right: true,
        badges: 1,
        signed: vec![1],
    };
    let faulty = |change: fn(&mut Whole)| {
        let mut whole = sound.clone();
        change(&mut whole);
        settle(&whole).err().map(|fault: Fault| fault.kind)
    };
    assert_eq!(faulty(|_| ()), None);
    assert_eq!(faulty(|w| *w = Whole::default()), None, "nothing was asked");
    assert_eq!(faulty(|w| w.told_handed_in = false), None, "handed in without an answer");
    assert_eq!(faulty(|w| w.kept.clear()), Some(Kind::Lost));
    assert_eq!(faulty(|w| w.kept.push(("b".into(), false))), Some(Kind::Doubled));
    assert_eq!(faulty(|w| w.kept[0].1 = false), Some(Kind::Lost));
    assert_eq!(faulty(|w| w.passed = Some(false)), Some(Kind::Lost));
    assert_eq!(faulty(|w| w.badges = 0), Some(Kind::Lost));
    assert_eq!(faulty(|w| w.badges = 2), Some(Kind::Doubled));
    assert_eq!(faulty(|w| w.signed = vec![2]), Some(Kind::Doubled));
    assert_eq!(faulty(|w| (w.passed, w.all_right) = (Some(false), false)), Some(Kind::Unexplained));
}

/// What is done wrong, once, in a made-up history.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Plant {
    None,
    /// A save is called saved and not done.
    Lose,
    /// A look shows what stood before the last save that it must have seen.
    Old,
    /// A save is done twice.
    Twice,
}

/// A history by chance: devices ask in turn, a server does it somewhere between, some answers never come. Every choice is another one.
/// Also whether the fault could be planted.
fn made_up(seed: u64, length: usize, devices: u16, plant: Plant) -> (Vec<Op>, bool) {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    let chance = SeededChance::new(bytes);
    let some = |bound: u64| chance.below(bound as usize) as u64;
    let mut ops: Vec<Op> = Vec::new();
    let mut free = vec![0_u64; usize::from(devices)];
    // When each request is done; never, for some of those without an answer.
    let mut done_at: Vec<u64> = Vec::new();
    // With a fault planted, everything else is plain, so that nothing else explains it.
    let plain = plant != Plant::None;
    for n in 0..length {
        let device = some(u64::from(devices)) as u16;
        let at = &mut free[usize::from(device)];
        let asked_at = *at + some(20);
        let done = asked_at + some(30);
        let answered = done + some(30);
        *at = answered + 1;
        let asked = match some(10) {
            0..6 => save(device, n as i64 + 1, -1, n as u32 + 1),
            6 if !plain && n > 4 => Asked::HandIn,
            _ => Asked::Look,
        };
        let silent = !plain && some(5) == 0;
        done_at.push(match (silent, some(3)) {
            (true, 0) => NEVER,
            (true, 1) => done + some(200),
            _ => done,
        });
        ops.push(op(asked_at, if silent { NEVER } else { answered }, asked, Said::Nothing));
    }
    let mut order: Vec<usize> = (0..length).filter(|&n| done_at[n] != NEVER).collect();
    order.sort_by_key(|&n| (done_at[n], n));
    let mut knows = vec![0_i64; usize::from(devices)];
    let (mut stands, mut before, mut last_answered, mut struck) = (Stands::default(), Stands::default(), NEVER, false);
    let strike = some(length as u64 / 2);
    for (turn, &n) in order.iter().enumerate() {
        // What its device knew last; sometimes nothing.
        if let Asked::Save { device, base, .. } = &mut ops[n].asked {
            *base = if some(6) == 0 { 0 } else { knows[usize::from(*device)] };
        }
        let (mut then, mut said) = stands.hear(ops[n].asked);
        let due = !struck && turn as u64 >= strike;
        let taken = then.revision > stands.revision;
        match plant {
            Plant::Lose if due && taken => (then, struck) = (stands, true),
            Plant::Twice if due && taken => {
                then.revision += 1;
                struck = true;
            }
            Plant::Old if due && ops[n].asked == Asked::Look && ops[n].asked_at > last_answered => {
                said = shows(before.revision, before.chosen.0);
                struck = true;
            }
            _ => {}
        }
        if taken {
            (before, last_answered) = (stands, ops[n].answered_at);
        }
        if let (Asked::Save { device, .. }, Said::Saved { revision } | Said::Newer { revision, .. }) = (ops[n].asked, said)
            && ops[n].answered_at != NEVER
        {
            knows[usize::from(device)] = revision;
        }
        if ops[n].answered_at != NEVER {
            ops[n].said = said;
        }
        stands = then;
    }
    // Bases of what was never done.
    for op in &mut ops {
        if let Asked::Save { base, .. } = &mut op.asked {
            *base = (*base).max(0);
        }
    }
    let end = done_at.iter().filter(|&&at| at != NEVER).max().unwrap_or(&0) + 1000;
    ops.push(op(end, end + 1, Asked::Export, shows(stands.revision, stands.chosen.0)));
    (ops, struck)
}

/// Every order of everything, for histories that are short.
fn by_force(ops: &[Op], done: &mut Vec<usize>, stands: Stands) -> bool {
    let left: Vec<usize> = (0..ops.len()).filter(|n| !done.contains(n)).collect();
    if left.iter().all(|&n| ops[n].said == Said::Nothing) {
        return true;
    }
    left.iter().any(|&n| {
        let (then, said) = stands.hear(ops[n].asked);
        let in_time = left.iter().all(|&other| ops[other].answered_at >= ops[n].asked_at);
        if !in_time || ops[n].said != Said::Nothing && said != ops[n].said {
            return false;
        }
        done.push(n);
        let explained = by_force(ops, done, then);
        done.pop();
        explained
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_right_server_does_is_explained(seed: u64, length in 1..120_usize, devices in 1..5_u16) {
        let (ops, _) = made_up(seed, length, devices, Plant::None);
        prop_assert!(explain(&ops).is_ok(), "{}", explain(&ops).unwrap_err().words);
    }

    #[test]
    fn a_planted_fault_is_always_found(seed: u64, length in 4..80_usize, devices in 1..4_u16, plant in prop::sample::select(vec![Plant::Lose, Plant::Old, Plant::Twice])) {
        let (ops, struck) = made_up(seed, length, devices, plant);
        let found = explain(&ops).err().map(|fault| fault.kind);
        prop_assert_eq!(found.is_some(), struck, "{:?}: {:?}", plant, ops);
    }

    /// The answers of short histories are mixed up; the search finds an order exactly where there is one.
    #[test]
    fn the_search_agrees_with_trying_everything(seed: u64, length in 1..7_usize, devices in 1..4_u16, swap in (0..7_usize, 0..7_usize)) {
        let (mut ops, _) = made_up(seed, length, devices, Plant::None);
        let (a, b) = (swap.0 % ops.len(), swap.1 % ops.len());
        if ops[a].said != Said::Nothing && ops[b].said != Said::Nothing {
            (ops[a].said, ops[b].said) = (ops[b].said, ops[a].said);
        }
        prop_assert_eq!(search::order(&ops).is_ok(), by_force(&ops, &mut Vec::new(), Stands::default()));
    }
}
