use proptest::prelude::*;

use super::*;

fn task(subtopology: u32, partition: i32) -> TaskId {
    TaskId::new(subtopology, partition)
}

fn tasks(subtopologies: u32, partitions: i32) -> BTreeSet<TaskId> {
    (0..subtopologies)
        .flat_map(|s| (0..partitions).map(move |p| task(s, p)))
        .collect()
}

fn member(id: &str, owned: &[TaskId]) -> BalanceMember {
    BalanceMember {
        id: id.into(),
        workers: 1,
        owned: owned.iter().copied().collect(),
        ..BalanceMember::default()
    }
}

fn show(members: &[BalanceMember], balanced: &Balanced) -> String {
    let list = |tasks: &BTreeSet<TaskId>| tasks.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let mut lines: Vec<String> = members
        .iter()
        .zip(&balanced.active)
        .map(|(member, active)| format!("{}: {}", member.id, list(active)))
        .collect();
    for (task, index) in &balanced.withheld {
        lines.push(format!("later {task} -> {}", members[*index].id));
    }
    lines.join("; ")
}

#[test]
fn tables() {
    let all = tasks(1, 4);
    let four = [task(0, 0), task(0, 1), task(0, 2), task(0, 3)];
    let warm = |mut member: BalanceMember, lags: &[(TaskId, i64)]| {
        member.lags = lags.iter().copied().collect();
        member
    };
    let cases = [
        ("nobody", vec![], ""),
        ("one", vec![member("a", &[])], "a: 0_0 0_1 0_2 0_3"),
        (
            "two at start",
            vec![member("a", &[]), member("b", &[])],
            "a: 0_0 0_2; b: 0_1 0_3",
        ),
        (
            "a second joins",
            vec![member("a", &four), member("b", &[])],
            "a: 0_0 0_1; b: ; later 0_2 -> b; later 0_3 -> b",
        ),
        (
            "the owner let go",
            vec![member("a", &four[..2]), member("b", &[])],
            "a: 0_0 0_1; b: 0_2 0_3",
        ),
        (
            "a third joins: the remainder stays where it is",
            vec![member("c", &[]), member("a", &four[..2]), member("b", &four[2..])],
            "c: ; a: 0_0 0_1; b: 0_2; later 0_3 -> c",
        ),
        (
            "a dead owner's tasks at once",
            vec![member("b", &four[2..])],
            "b: 0_0 0_1 0_2 0_3",
        ),
        (
            "twice claimed: nobody runs it until both let go",
            vec![member("a", &four[..3]), member("b", &four[2..])],
            "a: 0_0 0_1; b: 0_3; later 0_2 -> b",
        ),
        (
            "more workers, more tasks",
            vec![
                BalanceMember {
                    workers: 3,
                    ..member("a", &[])
                },
                member("b", &[]),
            ],
            "a: 0_0 0_2 0_3; b: 0_1",
        ),
        (
            "state on disk decides",
            vec![
                warm(member("a", &[]), &[(task(0, 3), 10), (task(0, 1), -1)]),
                warm(member("b", &[]), &[(task(0, 1), 7)]),
            ],
            "a: 0_0 0_3; b: 0_1 0_2",
        ),
        (
            "what moves is what the other has the state of",
            vec![member("a", &four), warm(member("b", &[]), &[(task(0, 0), 0)])],
            "a: 0_1 0_2; b: ; later 0_0 -> b; later 0_3 -> b",
        ),
        (
            "a draining member keeps its own",
            vec![
                BalanceMember {
                    draining: true,
                    ..member("a", &four[..1])
                },
                member("b", &[]),
            ],
            "a: 0_0; b: 0_1 0_2 0_3",
        ),
        (
            "all draining",
            vec![BalanceMember {
                draining: true,
                ..member("a", &four[..1])
            }],
            "a: 0_0",
        ),
        (
            "no worker",
            vec![BalanceMember {
                workers: 0,
                ..member("a", &[])
            }],
            "a: ",
        ),
    ];
    for (name, members, expected) in cases {
        assert_eq!(show(&members, &balance(&all, &members)), expected, "{name}");
    }
}

#[test]
fn each_subtopology_is_spread() {
    let members = [member("a", &[]), member("b", &[]), member("c", &[])];
    let balanced = balance(&tasks(3, 6), &members);
    for active in &balanced.active {
        for subtopology in 0..3 {
            assert_eq!(active.iter().filter(|task| task.subtopology == subtopology).count(), 2);
        }
    }
}

#[test]
fn tasks_that_are_no_more_are_dropped() {
    let members = [member("a", &[task(0, 0), task(7, 0)])];
    assert_eq!(show(&members, &balance(&tasks(1, 1), &members)), "a: 0_0");
}

/// Members with random owners; a few tasks are claimed twice.
fn arbitrary_group() -> impl Strategy<Value = (BTreeSet<TaskId>, Vec<BalanceMember>)> {
    let claims = proptest::collection::vec((0..20usize, any::<bool>(), 0..20usize), 60);
    let lags = proptest::collection::vec((0..8usize, 0..60usize, -2..1000i64), 0..40);
    let workers = proptest::collection::vec((1..5u32, proptest::bool::weighted(0.1)), 1..8);
    (1..4u32, 1..16i32, workers, claims, lags).prop_map(|(subtopologies, partitions, workers, claims, lags)| {
        let all = tasks(subtopologies, partitions);
        let mut members: Vec<BalanceMember> = workers
            .into_iter()
            .enumerate()
            .map(|(index, (workers, draining))| BalanceMember {
                id: format!("m{index}"),
                workers,
                draining,
                ..BalanceMember::default()
            })
            .collect();
        let count = members.len();
        for (task, (owner, twice, second)) in all.iter().zip(claims) {
            if owner < count {
                members[owner].owned.insert(*task);
            }
            if twice && second < count / 2 {
                members[second].owned.insert(*task);
            }
        }
        let ordered: Vec<TaskId> = all.iter().copied().collect();
        for (index, task, lag) in lags {
            members[index % count].lags.insert(ordered[task % ordered.len()], lag);
        }
        (all, members)
    })
}

/// The target: what is handed out and what is withheld for somebody.
fn target(balanced: &Balanced) -> Vec<BTreeSet<TaskId>> {
    let mut target = balanced.active.clone();
    for (task, index) in &balanced.withheld {
        assert!(target[*index].insert(*task), "{task} is both assigned and withheld");
    }
    target
}

proptest! {
    #[test]
    fn every_task_is_in_the_target_once((all, members) in arbitrary_group()) {
        let target = target(&balance(&all, &members));
        let union: BTreeSet<TaskId> = target.iter().flatten().copied().collect();
        prop_assert_eq!(target.iter().map(BTreeSet::len).sum::<usize>(), union.len());
        if members.iter().any(|member| !member.draining) {
            prop_assert_eq!(union, all);
        }
    }

    #[test]
    fn shares_are_within_one_task((all, members) in arbitrary_group()) {
        let target = target(&balance(&all, &members));
        let kept: usize = members.iter().zip(&target).filter(|(member, _)| member.draining).map(|(_, held)| held.len()).sum();
        let workers: usize = members.iter().filter(|member| !member.draining).map(|member| member.workers as usize).sum();
        for (member, held) in members.iter().zip(&target).filter(|(member, _)| !member.draining) {
            let share = (all.len() - kept) * member.workers as usize;
            prop_assert!(held.len() >= share / workers && held.len() <= share.div_ceil(workers), "{} has {}", member.id, held.len());
        }
    }

    #[test]
    fn nothing_is_run_twice((all, members) in arbitrary_group()) {
        let balanced = balance(&all, &members);
        for (index, active) in balanced.active.iter().enumerate() {
            for task in active {
                let other = members.iter().enumerate().any(|(other, member)| other != index && member.owned.contains(task));
                prop_assert!(!other, "{task} was given to {} while another runs it", members[index].id);
            }
        }
    }

    #[test]
    fn two_rounds_settle_it_and_a_third_changes_nothing((all, mut members) in arbitrary_group()) {
        let first = balance(&all, &members);
        adopt(&mut members, &first);
        let second = balance(&all, &members);
        prop_assert!(!second.followup());
        for (before, after) in first.active.iter().zip(&second.active) {
            prop_assert!(before.is_subset(after), "the second round took something away");
        }
        adopt(&mut members, &second);
        prop_assert_eq!(balance(&all, &members), second);
    }

    #[test]
    fn no_more_moves_than_the_shares_ask_for((all, members) in arbitrary_group()) {
        let balanced = balance(&all, &members);
        let target = target(&balanced);
        let mut claimed = BTreeSet::new();
        for (member, held) in members.iter().zip(&target) {
            // A task claimed twice is counted for its first claimant.
            let owned: BTreeSet<TaskId> = member.owned.iter().filter(|task| claimed.insert(**task)).copied().collect();
            let lost = owned.difference(held).count();
            prop_assert!(lost == 0 || held.is_subset(&owned), "{} lost {lost} tasks and got others", member.id);
        }
    }

    #[test]
    fn a_dead_members_tasks_are_free_at_once((all, mut members) in arbitrary_group()) {
        for _ in 0..2 {
            let balanced = balance(&all, &members);
            adopt(&mut members, &balanced);
        }
        members.iter_mut().for_each(|member| member.draining = false);
        if members.len() > 1 {
            let dead = members.remove(0);
            let balanced = balance(&all, &members);
            for task in dead.owned {
                prop_assert!(balanced.active.iter().any(|active| active.contains(&task)), "{task} waits for a dead owner");
            }
        }
    }
}

fn adopt(members: &mut [BalanceMember], balanced: &Balanced) {
    for (member, active) in members.iter_mut().zip(&balanced.active) {
        member.owned.clone_from(active);
    }
}
