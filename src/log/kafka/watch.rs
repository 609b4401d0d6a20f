//! Watches the topic of the entries while it is followed: whoever adds partitions to it moves keys
//! between partitions, which no node may go along with. Log's thread.

use std::time::Duration;

use kafka_protocol::messages::TopicName;
use tokio::time::sleep;

use super::cluster::{Cluster, Topic};
use crate::stats::progress::Progress;

/// How often the cluster is asked.
const LOOK: Duration = Duration::from_secs(30);

/// Breaks every partition once `topic` is not what `agreed` was.
pub async fn watch(cluster: &Cluster, topic: &TopicName, agreed: &Topic, progress: &Progress) {
    loop {
        sleep(LOOK).await;
        let Ok(known) = cluster.refresh(&cluster.known()).await else { continue };
        let now = known.topic(topic).filter(|topic| topic.fault.is_none());
        if let Some(because) = now.and_then(|now| changed(topic.as_str(), agreed, now)) {
            break_all(progress, &because);
            return;
        }
    }
}

/// No partition can be followed any more.
pub fn break_all(progress: &Progress, because: &str) {
    tracing::error!("{because}; no partition follows the log any more, reads go on");
    progress.break_all(because);
}

fn changed(name: &str, agreed: &Topic, now: &Topic) -> Option<String> {
    let (before, after) = (agreed.leaders.len(), now.leaders.len());
    if before != after {
        return Some(format!("partitions: topic {name} has {after}, the data directory {before}"));
    }
    let another = agreed.id != 0 && now.id != 0 && agreed.id != now.id;
    another.then(|| format!("topic {name} was deleted and made anew"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_count_and_another_topic_are_told() {
        let topic = |id, partitions| Topic { id, leaders: vec![None; partitions], fault: None };
        assert_eq!(changed("t", &topic(7, 4), &topic(7, 4)), None);
        assert_eq!(changed("t", &topic(0, 4), &topic(9, 4)), None);
        let because = changed("t", &topic(7, 4), &topic(7, 6)).unwrap_or_default();
        assert_eq!(because, "partitions: topic t has 6, the data directory 4");
        assert!(changed("t", &topic(7, 4), &topic(8, 4)).is_some());
    }
}
