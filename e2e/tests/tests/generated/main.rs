//! Random applications do in Millrace what they do in Kafka Streams: topology, every record written, its time and its headers.
//!
//! Both run record by record, Millrace's engine on the log in the process, Kafka Streams in its test driver.
//! `MILLRACE_APPS=3000` makes more of them, `MILLRACE_SEED=7` others, `MILLRACE_APPS_SEED=7000077` repeats the one that a failure names,
//! `MILLRACE_APPS_KEEP_ON=1` goes on behind the first failure.

mod ours;

use std::time::Duration;

use millrace_e2e::generated::interpreter::Interpreter;
use millrace_e2e::generated::outcome::differences;
use millrace_e2e::generated::random::Profile;
use millrace_e2e::generated::script::Lowering;
use millrace_e2e::generated::{Case, shrink::shrink};

/// Seeds of applications per `MILLRACE_SEED`.
const APART: u64 = 1_000_000;
const PROFILE: Profile = Profile {
    context: true,
    failing: true,
    any_order: false,
};

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable}={text} is no number")),
    )
}

/// How many records both wrote, or how they differ; an error if the case does not fit together.
fn compare(case: &Case, java: &mut Interpreter) -> Result<Result<usize, String>, String> {
    let script = Lowering::script(&case.app)?;
    let ours = ours::run(case, &script).map_err(|refused| format!("Millrace refuses the manifest\n{refused}"))?;
    let theirs = java.run(case, &script);
    let found = differences(&script, &theirs, &ours);
    Ok(match found.is_empty() {
        true => Ok(theirs.written.iter().map(Vec::len).sum()),
        false => Err(found.join("\n")),
    })
}

#[test]
fn random_applications_equal_kafka_streams() {
    let seeds = match number("MILLRACE_APPS_SEED") {
        Some(seed) => seed..seed + 1,
        None => {
            let first = number("MILLRACE_SEED").unwrap_or(1) * APART;
            first..first + number("MILLRACE_APPS").unwrap_or(300)
        }
    };
    println!("applications of the seeds {} to {}", seeds.start, seeds.end - 1);
    let keep_on = std::env::var_os("MILLRACE_APPS_KEEP_ON").is_some();
    let within = Duration::from_secs(if keep_on { 10 } else { 60 });
    let mut java = Interpreter::start();
    let (mut written, mut empty, mut differing) = (0, 0, Vec::new());
    for seed in seeds.clone() {
        let case = Case::random(seed, PROFILE, "generated", 40);
        match compare(&case, &mut java).unwrap_or_else(|why| panic!("seed {seed}: {why}\n{}", case.show())) {
            Ok(records) => {
                written += records;
                empty += usize::from(records == 0);
            }
            Err(_) => {
                differing.push(seed);
                println!("{}", cut_down(seed, case, within, &mut java));
                if !keep_on {
                    break;
                }
            }
        }
    }
    let apps = (seeds.end - seeds.start) as usize;
    println!("{apps} applications, {written} records written, {empty} without any");
    assert!(differing.is_empty(), "these seeds differ: {differing:?}");
    assert!(
        apps < 100 || (written > apps * 20 && empty * 5 < apps),
        "the applications do too little"
    );
}

/// The comparison can fail: where Java runs one step otherwise, it says so.
#[test]
fn planted_differences_are_found() {
    let mut java = Interpreter::start();
    let (mut planted, mut found) = (0, 0);
    for seed in APART..APART + 40 {
        let case = Case::random(seed, PROFILE, "planted", 40);
        let mut script = Lowering::script(&case.app).expect("random steps fit");
        let Some(filter) = script.calls.iter_mut().find(|call| call["op"] == "filter") else {
            continue;
        };
        filter["negate"] = (!filter["negate"].as_bool().expect("true or false")).into();
        let ours = ours::run(&case, &script).expect("it compiles");
        planted += 1;
        found += usize::from(!differences(&script, &java.run(&case, &script), &ours).is_empty());
    }
    // Not every filter has records that reach it.
    assert!(
        planted > 10 && found * 3 > planted,
        "{found} of {planted} planted differences found"
    );
}

/// The differences of a case, cut down to what matters.
fn cut_down(seed: u64, case: Case, within: Duration, java: &mut Interpreter) -> String {
    let small = shrink(case, within, |case| matches!(compare(case, java), Ok(Err(_))));
    let difference = match compare(&small, java) {
        Ok(Err(difference)) => difference,
        other => format!("it differed, and does not when it is repeated: {other:?}"),
    };
    format!(
        "==== Millrace differs from Kafka Streams. MILLRACE_APPS_SEED={seed} repeats it; cut down to:\n\n{}\n{difference}\n",
        small.show()
    )
}
