//! What a reset does, as tables and as JSON.

use std::fmt::Write as _;
use std::io::IsTerminal as _;

use millrace::reset::{OffsetReset, ResetPlan, ResetTarget};
use owo_colors::{OwoColorize as _, Style};
use serde_json::json;

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nothing was changed, and nothing will be.
    DryRun,
    /// It is being done.
    Begun,
    /// It is done.
    Done,
}

/// Whether standard output is a terminal whose user has nothing against colours.
pub fn is_coloured() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// For people.
pub fn text(plan: &ResetPlan, servers: &str, target: ResetTarget, stage: Stage, coloured: bool) -> String {
    let paint = |text: &str, style: Style| {
        if coloured && !text.is_empty() {
            text.style(style).to_string()
        } else {
            text.to_owned()
        }
    };
    let (bold, red, yellow, dim) = (
        Style::new().bold(),
        Style::new().red(),
        Style::new().yellow(),
        Style::new().dimmed(),
    );
    let mut out = String::new();
    let title = format!("{} on {servers}, to {}", plan.application_id, named(target));
    let _ = writeln!(out, "{}", paint(&title, bold));
    let mut section = |head: &[&str], rows: Vec<Vec<String>>, marked: usize, mark: Style| {
        if rows.is_empty() {
            return;
        }
        let widths = widths(head, &rows);
        let _ = writeln!(out, "\n{}", paint(line(head, &widths).trim_end(), bold));
        for row in &rows {
            let cells: Vec<&str> = row.iter().map(String::as_str).collect();
            let padded = padded(&cells, &widths);
            let painted = padded.iter().enumerate().map(|(column, cell)| {
                let last = column + 1 == padded.len();
                paint(
                    cell,
                    if column == marked {
                        mark
                    } else if last {
                        dim
                    } else {
                        Style::new()
                    },
                )
            });
            let _ = writeln!(out, "{}", painted.collect::<Vec<_>>().join("  ").trim_end());
        }
    };
    section(
        &["input topic", "partition<", "from<", "to<", ""],
        plan.offsets.iter().map(offset_row).collect(),
        3,
        yellow,
    );
    let topics = plan.internal_topics.iter().map(|topic| {
        let why = if topic.is_planned {
            ""
        } else {
            "not in this manifest: told by its name"
        };
        vec![
            topic.name.clone(),
            count(i64::from(topic.partitions)),
            "deleted".to_owned(),
            why.to_owned(),
        ]
    });
    section(&["internal topic", "partitions<", "", ""], topics.collect(), 2, red);
    let state = plan.state.iter().map(|state| {
        let entries = if state.entries.len() > 8 {
            format!("{} and {} more", state.entries[..8].join(", "), state.entries.len() - 8)
        } else {
            state.entries.join(", ")
        };
        let why = if state.is_held { "held by a live process" } else { "" };
        vec![
            state.directory.display().to_string(),
            entries,
            "removed".to_owned(),
            why.to_owned(),
        ]
    });
    section(&["local state", "", "", ""], state.collect(), 2, red);
    let members = plan.members.iter().map(|member| {
        let instance = member.instance_id.clone().unwrap_or_else(|| "-".to_owned());
        vec![member.member_id.clone(), instance, String::new()]
    });
    section(
        &["member of the group", "group.instance.id", ""],
        members.collect(),
        0,
        red,
    );
    if plan.internal_topics.is_empty() {
        let _ = writeln!(out, "\nNo internal topic exists.");
    }
    if stage == Stage::DryRun {
        let _ = writeln!(out, "\n{}", paint("Nothing was changed; --execute does it.", yellow));
    }
    out
}

/// For programs.
pub fn json(plan: &ResetPlan, servers: &str, target: ResetTarget, stage: Stage) -> String {
    let offsets = plan.offsets.iter().map(|of| {
        json!({
            "topic": &*of.partition.topic, "partition": of.partition.partition, "from": of.from, "to": of.to, "asked": of.asked,
            "intermediate": of.is_intermediate,
        })
    });
    let topics = plan
        .internal_topics
        .iter()
        .map(|topic| json!({"name": topic.name, "partitions": topic.partitions, "inManifest": topic.is_planned}));
    let members = plan
        .members
        .iter()
        .map(|member| json!({"memberId": member.member_id, "groupInstanceId": member.instance_id}));
    let state = plan.state.as_ref().map(|state| {
        json!({"directory": state.directory.display().to_string(), "entries": state.entries, "held": state.is_held})
    });
    json!({
        "applicationId": plan.application_id, "bootstrapServers": servers, "clusterId": plan.cluster_id, "to": named(target),
        "executed": stage == Stage::Done, "members": members.collect::<Vec<_>>(), "offsets": offsets.collect::<Vec<_>>(),
        "internalTopics": topics.collect::<Vec<_>>(), "state": state,
    })
    .to_string()
}

fn named(target: ResetTarget) -> String {
    match target {
        ResetTarget::Earliest => "the earliest offsets".to_owned(),
        ResetTarget::Latest => "the latest offsets".to_owned(),
        ResetTarget::Offset(offset) => format!("offset {offset}"),
        ResetTarget::ShiftBy(by) => format!("{by:+} from the committed offsets"),
        ResetTarget::Timestamp(ms) => crate::log::rfc3339(ms),
    }
}

fn offset_row(of: &OffsetReset) -> Vec<String> {
    let why = match of.asked {
        _ if of.is_intermediate => "written by the application itself: its end".to_owned(),
        Some(asked) if asked < of.to => format!("{} is before its start", count(asked)),
        Some(asked) => format!("{} is behind its end", count(asked)),
        None => String::new(),
    };
    vec![
        of.partition.topic.to_string(),
        of.partition.partition.to_string(),
        of.from.map_or_else(|| "-".to_owned(), count),
        count(of.to),
        why,
    ]
}

/// 12345 as 12,345.
fn count(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut out = String::from(if number < 0 { "-" } else { "" });
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A column of numbers has a heading that ends with `<`.
fn is_number(head: &str) -> bool {
    head.ends_with('<')
}

/// Width in characters and whether the cells stand on the right.
fn widths(head: &[&str], rows: &[Vec<String>]) -> Vec<(usize, bool)> {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells
            .chain([head[column].trim_end_matches('<').chars().count()])
            .max()
            .unwrap_or(0)
    };
    (0..head.len())
        .map(|column| (width(column), is_number(head[column])))
        .collect()
}

fn padded(cells: &[&str], widths: &[(usize, bool)]) -> Vec<String> {
    let pad = |(cell, (width, right)): (&&str, &(usize, bool))| {
        let cell = cell.trim_end_matches('<');
        if *right {
            format!("{cell:>width$}")
        } else {
            format!("{cell:<width$}")
        }
    };
    cells.iter().zip(widths).map(pad).collect()
}

fn line(cells: &[&str], widths: &[(usize, bool)]) -> String {
    padded(cells, widths).join("  ")
}

#[cfg(test)]
mod tests {
    use millrace::kafka::log::{MemberIdentity, TopicPartition};
    use millrace::reset::{InternalTopicReset, StateReset};

    use super::*;

    fn plan() -> ResetPlan {
        let offset = |partition, from, to, asked| OffsetReset {
            partition: TopicPartition::new("transactions", partition),
            from,
            to,
            asked,
            is_intermediate: false,
        };
        ResetPlan {
            application_id: "app".to_owned(),
            cluster_id: "c".to_owned(),
            members: Vec::new(),
            offsets: vec![
                offset(0, Some(1_234_567), 10_000, None),
                offset(1, None, 9_000, Some(10_000)),
                offset(10, Some(5), 10_500, Some(10_000)),
            ],
            internal_topics: vec![
                InternalTopicReset {
                    name: "app-old-repartition".to_owned(),
                    partitions: 4,
                    is_planned: false,
                },
                InternalTopicReset {
                    name: "app-totals-changelog".to_owned(),
                    partitions: 12,
                    is_planned: true,
                },
            ],
            state: Some(StateReset {
                directory: "/var/lib/millrace/app".into(),
                entries: vec!["0_0".to_owned(), "0_1".to_owned()],
                is_held: false,
            }),
        }
    }

    #[test]
    fn tables_for_people() {
        let target = ResetTarget::Offset(10_000);
        expect_test::expect![[r#"
            app on kafka:9092, to offset 10000

            input topic   partition       from      to
            transactions          0  1,234,567  10,000
            transactions          1          -   9,000  10,000 is behind its end
            transactions         10          5  10,500  10,000 is before its start

            internal topic        partitions
            app-old-repartition            4  deleted  not in this manifest: told by its name
            app-totals-changelog          12  deleted

            local state
            /var/lib/millrace/app  0_0, 0_1  removed

            Nothing was changed; --execute does it.
        "#]]
        .assert_eq(&text(&plan(), "kafka:9092", target, Stage::DryRun, false));
    }

    #[test]
    fn colours_change_nothing_but_the_colour() {
        let of = |coloured| text(&plan(), "kafka:9092", ResetTarget::Latest, Stage::Begun, coloured);
        let coloured = of(true);
        assert!(coloured.contains("\u{1b}[31mdeleted"), "{coloured:?}");
        let mut plain = String::new();
        let mut rest = coloured.as_str();
        while let Some((before, after)) = rest.split_once("\u{1b}[") {
            plain.push_str(before);
            rest = after.split_once('m').unwrap().1;
        }
        plain.push_str(rest);
        let trimmed = |text: &str| text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
        assert_eq!(trimmed(&plain), trimmed(&of(false)));
    }

    #[test]
    fn one_object_for_programs() {
        let mut plan = plan();
        plan.offsets.truncate(1);
        plan.internal_topics.truncate(1);
        plan.members.push(MemberIdentity {
            member_id: "m-1".to_owned(),
            instance_id: Some("pod-0".to_owned()),
        });
        let text = json(&plan, "kafka:9092", ResetTarget::Timestamp(0), Stage::Done);
        let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
        let expected = json!({
            "applicationId": "app", "bootstrapServers": "kafka:9092", "clusterId": "c", "to": "1970-01-01T00:00:00.000Z", "executed": true,
            "members": [{"memberId": "m-1", "groupInstanceId": "pod-0"}],
            "offsets": [{
                "topic": "transactions", "partition": 0, "from": 1_234_567, "to": 10_000, "asked": null, "intermediate": false,
            }],
            "internalTopics": [{"name": "app-old-repartition", "partitions": 4, "inManifest": false}],
            "state": {"directory": "/var/lib/millrace/app", "entries": ["0_0", "0_1"], "held": false},
        });
        assert_eq!(parsed, expected);
    }
}
