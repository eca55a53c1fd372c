//! Millrace's side: from the manifest's text by the language and the plan to the engine, on the log in the process.

use bytes::Bytes;
use millrace::driver::{OutputRecord, TestDriver};
use millrace::kafka::log::Header;
use millrace_app::bind;
use millrace_app::checked::{Overrides, check};
use millrace_e2e::generated::Case;
use millrace_e2e::generated::outcome::{Outcome, Written};
use millrace_e2e::generated::script::Script;

/// Runs the case record by record; an error if the manifest does not compile.
pub fn run(case: &Case, script: &Script) -> Result<Outcome, String> {
    let manifest = case.app.manifest("in-process", &[]);
    let checked = check("app.yaml", &manifest, &Overrides::default())
        .map_err(|problems| problems.iter().map(|problem| problem.render()).collect::<String>())?;
    let describe = checked.program.plan.describe();
    let mut properties = vec![
        ("application.id", case.app.id.clone()),
        ("deserialization.exception.handler", case.app.reading.name().to_owned()),
        ("processing.exception.handler", case.app.processing.name().to_owned()),
        ("production.exception.handler", case.app.writing.name().to_owned()),
    ];
    properties.extend(case.app.config());
    let properties = properties.iter().map(|(name, value)| (*name, value.as_str()));
    let mut driver = TestDriver::new(bind::application(checked.program), properties).map_err(|e| e.to_string())?;

    let mut outcome = Outcome {
        describe,
        written: Vec::new(),
        failed: None,
    };
    for record in &case.records {
        let headers: Vec<Header> = record
            .headers
            .iter()
            .map(|(name, value)| Header {
                name: name.clone(),
                value: value.clone().map(Bytes::from),
            })
            .collect();
        let piped = driver.pipe_with_headers(
            &record.topic,
            record.key.as_deref(),
            record.value.as_deref(),
            record.timestamp,
            &headers,
        );
        if let Err(error) = piped {
            outcome.failed = Some(error.to_string());
            break;
        }
        let mut came = Vec::new();
        for topic in script.topics.keys() {
            came.extend(driver.read(topic).into_iter().map(|record| written(topic, record)));
        }
        outcome.written.push(came);
    }
    Ok(outcome)
}

fn written(topic: &str, record: OutputRecord) -> Written {
    Written {
        topic: topic.to_owned(),
        key: record.key.map(|key| key.to_vec()),
        value: record.value.map(|value| value.to_vec()),
        timestamp: record.timestamp,
        headers: record
            .headers
            .into_iter()
            .map(|header| (header.name, header.value.map(|value| value.to_vec())))
            .collect(),
    }
}
