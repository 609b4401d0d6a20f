//! A partition that comes from a node which holds it and follows on, not from the log's beginning;
//! and from there when nobody gives it any more.

use pumice::mesh::ticket::Until;
use pumice_model::ids::Offset;

use crate::restores::heavy;
use crate::{count, dirs, namespace, puts_into};

#[test]
fn what_a_holder_gives_is_followed_on_while_it_is_written_to() {
    let (_mock, mut place) = namespace("streams");
    place.streams = true;
    let dirs = dirs::<2>();
    let mut whole = place.whole(dirs[0].path());
    heavy().chunks(5).for_each(|rows| whole.put(rows));
    let before = count(&whole, 1);
    let door = whole.door();
    let part = place.told(dirs[1].path());
    part.knows(door.http);
    part.follow(1);
    // What the holder gives is mostly beyond what the newcomer had heard of the log's end.
    let mut rounds = 0;
    while part.restored.streamed.get() == 0 {
        let waiting = whole.write(&puts_into(1, rounds * 20..rounds * 20 + 20), Until::Judged);
        whole.answers(waiting, |_| false);
        assert_eq!(part.restored.restore_failures.get(), 0);
        rounds += 1;
        assert!(rounds < 5_000, "nobody streams it");
    }
    part.equals(&whole, 1);
    let came = part.stats.entries.get();
    assert!(came <= count(&whole, 1) - before, "{came} entries came from the log");
    assert_eq!(part.restored.bad_found.get(), 0);

    part.release(1);
    drop(door);
    part.follow(1);
    part.equals(&whole, 1);
    assert_eq!(part.restored.streamed.get(), 1, "there was nobody to give it");
    assert_eq!(part.stats.entries.get(), came + count(&whole, 1), "the log is replayed");
    assert!(part.next(1) > Offset(before));
    part.stop();
    whole.stop();
}
