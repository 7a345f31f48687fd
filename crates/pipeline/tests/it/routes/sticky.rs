//! A conversation stays where its prompt cache is.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::call::Operation;
use bedplate_core::refusal::Code;

use super::{Bed, Cued, LITE, whole};
use crate::house::{Script, call};

fn alias(targets: &str) -> String {
    format!("name = 'triage'\nsticky = 'conversation'\ntargets = [{targets}]\n")
}

fn two() -> String {
    alias(&format!("'use1/{LITE}', {{ target = 'usw2/{LITE}', weight = 3 }}"))
}

fn healthy() -> [Arc<Cued>; 2] {
    [Cued::new("use1", [], whole(200)), Cued::new("usw2", [], whole(200))]
}

/// Who answers a call of the conversation; the gateway's clock stands still.
async fn answers(bed: &Bed, conversation: &str) -> String {
    let mut call = call(Operation::Converse);
    "triage".clone_into(&mut call.name);
    call.tags.conversation = Some(conversation.to_owned());
    drop(bed.send(call).await);
    let rows = bed.house.settled().await;
    let attempt = rows.last().unwrap().attempts.last().unwrap();
    format!("{}/{}", attempt.provider, attempt.target)
}

async fn homes(bed: &Bed, conversations: usize) -> Vec<String> {
    let mut homes = Vec::new();
    for n in 0..conversations {
        homes.push(answers(bed, &format!("c-{n}")).await);
    }
    homes
}

#[tokio::test(start_paused = true)]
async fn conversations_have_homes_by_weight_on_which_all_nodes_agree() {
    let (here, there) = (Bed::new(&two(), &healthy()), Bed::new(&two(), &healthy()));
    let first = homes(&here, 1_000).await;
    let of_use1 = first.iter().filter(|home| home.starts_with("use1/")).count();
    assert!((200..=300).contains(&of_use1), "{of_use1}");
    assert_eq!(homes(&here, 1_000).await, first, "a conversation stays");
    assert_eq!(homes(&there, 1_000).await, first, "and another node finds the same");
}

#[tokio::test(start_paused = true)]
async fn a_new_target_takes_its_share_and_moves_nobody_else() {
    let before = homes(&Bed::new(&two(), &healthy()), 600).await;
    let pro = "amazon.nova-pro-v1:0";
    let three = alias(&format!("'use1/{LITE}', {{ target = 'usw2/{LITE}', weight = 3 }}, 'use1/{pro}'"));
    let after = homes(&Bed::new(&three, &healthy()), 600).await;
    let moved: Vec<&String> = before.iter().zip(&after).filter(|(b, a)| b != a).map(|(_, a)| a).collect();
    assert!((80..=160).contains(&moved.len()), "{}", moved.len());
    assert!(moved.iter().all(|to| to.ends_with(pro)));
}

#[tokio::test(start_paused = true)]
async fn who_had_to_move_stays_while_warm_and_then_goes_home() {
    // one failure: the breaker stays closed, and the home answers again at once
    let gone = Script::Fails { after: Duration::ZERO, code: Code::Unreachable, sent: false };
    let even = alias(&format!("'use1/{LITE}', 'usw2/{LITE}'"));
    let all = homes(&Bed::new(&even, &healthy()), 40).await;
    let mut at_use1 = (0..40).filter(|n| all[*n].starts_with("use1/")).map(|n| format!("c-{n}"));
    let (mover, other) = (at_use1.next().unwrap(), at_use1.next().unwrap());

    let providers = [Cued::new("use1", [gone], whole(200)), Cued::new("usw2", [], whole(200))];
    let bed = Bed::new(&even, &providers);
    let (home, away) = (format!("use1/{LITE}"), format!("usw2/{LITE}"));
    assert_eq!(answers(&bed, &mover).await, away);
    assert_eq!(answers(&bed, &other).await, home, "the home is well again");
    for _ in 0..3 {
        bed.house.clock.advance(Duration::from_secs(299));
        assert_eq!(answers(&bed, &mover).await, away, "its prompt cache is there now");
    }
    bed.house.clock.advance(Duration::from_secs(300));
    assert_eq!(answers(&bed, &mover).await, home);
}

#[tokio::test(start_paused = true)]
async fn calls_that_say_nothing_are_shared_out_as_ever() {
    let providers = healthy();
    let bed = Bed::new(&two(), &providers);
    for _ in 0..400 {
        drop(bed.ask(Operation::Converse, "triage").await);
    }
    assert!((60..=140).contains(&providers[0].asked().len()), "{}", providers[0].asked().len());
}
