//! Micro-benches of the hops of a read and of a write. `cargo bench -p pumice-bench --bench micro`
//! times them; `cargo test` runs each once, so that none can rot; `bench/instructions.sh` has
//! callgrind count their instructions.

mod bench;
mod heart;
mod server;
mod words;

use bench::{Bench, Mode};

fn main() {
    let benches: [Bench; 12] = [
        Bench::new("key-codec", words::key),
        Bench::new("archive-access", words::archive),
        Bench::new("condition-parse", words::condition_parse),
        Bench::new("condition-judge", words::condition_judge),
        Bench::new("entry-decode", words::entry),
        Bench::new("point-read", heart::point_read),
        Bench::new("batch-read-100", heart::batch_read),
        Bench::new("batch-read-100-apart", heart::batch_read_apart),
        Bench::new("apply-100", heart::apply),
        Bench::new("hpack-decode", server::hpack_decode),
        Bench::new("hpack-encode", server::hpack_encode),
        Bench::new("lane-hop", server::lane_hop),
    ];
    let mode = Mode::of_arguments(std::env::args().skip(1));
    for bench in &benches {
        mode.run(bench);
    }
}
