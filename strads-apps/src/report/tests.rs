//! Pages of runs that the apps do not make by themselves: rounds planned ahead of which some go
//! stale, many workers, and links between processes.

use std::ops::Range;

use serde_json::json;
use strads::record::Traffic;
use strads::{Executor, Freshness, Moved, Plan, Program, Record, Round, Run, Shares, Stop};

use super::{By, Report, Setting, Settings, page};

/// Every worker writes some of its variables; every seventh task is stale when its turn comes.
struct Toy {
    refreshed: u64,
}

impl Program for Toy {
    type Shard = ();
    type Task = Range<usize>;
    type Share = u64;

    fn schedule(&mut self, round: &mut Round) -> Plan<Range<usize>> {
        let mut plan = Plan::new();
        for worker in 0..round.workers() {
            let start = worker * 100 + (round.number() as usize * 7) % 80;
            plan.assign(worker, start..start + 20)
                .costing(1.0 + worker as f64)
                .holding(20)
                .writing(start..start + 20);
        }
        plan
    }

    fn push(_: &mut (), task: Range<usize>) -> u64 {
        task.len() as u64
    }

    fn pull(&mut self, shares: Shares<Self>) -> Moved {
        Moved {
            updates: shares.into_values().sum(),
            ..Moved::default()
        }
    }

    fn refresh(&mut self, _: &mut Range<usize>) -> Freshness {
        self.refreshed += 1;
        if self.refreshed.is_multiple_of(7) {
            Freshness::Stale
        } else {
            Freshness::Fresh
        }
    }
}

fn record(rounds: u64, workers: usize) -> Record {
    let run = Run::new().depth(3).until(Stop::after_rounds(rounds));
    let mut toy = Toy { refreshed: 0 };
    run.on(&Executor::Threads(2), &mut toy, &mut vec![(); workers])
        .unwrap()
}

fn written(record: Record) -> String {
    let settings = Settings {
        line: "strads toy '<data>'".to_owned(),
        app: "toy".to_owned(),
        options: vec![Setting {
            name: "seed".to_owned(),
            value: "7".to_owned(),
            by: By::File,
        }],
    };
    let mut report = Report::new("unused".as_ref(), settings, 2);
    report.event("start", json!({ "rows": 3 }));
    for step in 0..5000 {
        report.step(|| json!({ "seconds": step, "updates": 2 * step, "objective": 1.0 / f64::from(step + 1) }));
    }
    report.event(
        "done",
        json!({ "seconds_train": 2.5, "objective": 0.25, "path": [1, 2] }),
    );
    report.ran(record);
    let mut page = Vec::new();
    page::write(&report, &mut page).unwrap();
    String::from_utf8(page).unwrap()
}

/// What went stale and what went over links has a figure where there is any, and none otherwise.
#[test]
fn stale_entries_and_links_are_drawn_where_there_are_any() {
    let mut with_links = record(300, 4);
    assert!(with_links.totals.dropped > 0);
    for (to, kind, bytes) in [("worker 0", "tasks", 9000), ("worker 1", "rows", 2_500_000)] {
        with_links.carried(Traffic {
            from: "coordinator".to_owned(),
            to: to.to_owned(),
            kind: kind.to_owned(),
            bytes,
        });
    }
    let page = written(with_links);
    for drawn in [
        "stale, dropped",
        "Bytes by link",
        "2.50 MB",
        "coordinator → worker 1",
        "of entries stale",
    ] {
        assert!(page.contains(drawn), "{drawn}");
    }
    let page = written(record(1, 1));
    assert!(!page.contains("Bytes by link") && !page.contains("Imbalance"));
}

/// A bar for each lag that reads had, of which there may be many; no figure where nothing is read.
#[test]
fn staleness_is_drawn_where_parameters_are_read() {
    let title = "Reads by clocks behind";
    let bars = |lags: &[u64]| {
        let mut record = record(3, 2);
        record.lags = lags.iter().copied().collect();
        let page = written(record);
        let figure = page.split_once(title).map(|(_, rest)| rest.to_owned())?;
        let drawing = figure.split_once("cell bar").unwrap().1;
        Some(drawing.split_once("\"/>").unwrap().0.matches('z').count())
    };
    assert_eq!(bars(&[]), None);
    assert_eq!(bars(&[7]), Some(1));
    assert_eq!(bars(&[700, 0, 20]), Some(3));
    assert!((33..=64).contains(&bars(&[1; 5000]).unwrap()));
}

/// However long the run and however many the workers, the page is of a bounded size and has all
/// its parts; nothing that a user typed is taken for HTML.
#[test]
fn pages_are_bounded_and_whole() {
    for (rounds, workers) in [(1, 1), (3, 2), (30_000, 3), (40, 300)] {
        let page = written(record(rounds, workers));
        assert!(page.len() < 600_000, "{rounds} {workers}: {}", page.len());
        for part in [
            "Objective",
            "Who updated what when",
            "Who was busy when",
            "Load by worker",
            "Options",
            "Environment",
        ] {
            assert!(page.contains(part), "{rounds} {workers}: {part}");
        }
        assert!(page.contains("&lt;data&gt;") && !page.contains("<data>"));
        assert!(
            !page.contains("NaN") && !page.contains("\"inf"),
            "{rounds} {workers}"
        );
        for mark in ["http:", "https:", "<script", "url("] {
            assert!(
                !page.contains(mark),
                "a report needs no network, and has {mark}"
            );
        }
        assert_eq!(
            page.matches("<figure").count(),
            page.matches("</figure>").count()
        );
        if let Ok(directory) = std::env::var("STRADS_TEST_PAGES") {
            let name = format!("toy-{rounds}-{workers}.html");
            std::fs::write(std::path::Path::new(&directory).join(name), page).unwrap();
        }
    }
}
