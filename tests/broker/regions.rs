//! Two regions on one machine: network namespaces `eu` and `us`, with one link between them, which
//! can be cut. The broker is behind `eu`; the test reaches both. Needs root and `ip`.

use std::net::Ipv4Addr;
use std::process::{self, Command};

use crate::server::PUMICE;

/// The two, until the value is dropped.
pub struct Regions {
    eu: String,
    us: String,
    /// Third byte of the first of three networks: to `eu`, to `us`, and between them.
    net: u8,
}

impl Regions {
    /// Makes them; or why that cannot be done here.
    pub fn new() -> Result<Self, String> {
        let id = process::id();
        // Of the network that is set aside for benchmarks: nobody is to be found there.
        let regions = Self {
            eu: format!("pumice-eu-{id}"),
            us: format!("pumice-us-{id}"),
            net: (id % 64) as u8 * 4,
        };
        regions.make(id)?;
        Ok(regions)
    }

    fn make(&self, id: u32) -> Result<(), String> {
        let (eu, us, net) = (&self.eu, &self.us, self.net);
        let (to_eu, to_us) = (format!("pme{id}"), format!("pmu{id}"));
        let (back, between) = (net + 1, net + 2);
        let lines = [
            format!("netns add {eu}"),
            format!("netns add {us}"),
            format!("link add {to_eu} type veth peer name test netns {eu}"),
            format!("link add {to_us} type veth peer name test netns {us}"),
            format!("-n {eu} link add us type veth peer name eu netns {us}"),
            format!("addr add 198.18.{net}.1/24 dev {to_eu}"),
            format!("addr add 198.18.{back}.1/24 dev {to_us}"),
            format!("-n {eu} addr add 198.18.{net}.2/24 dev test"),
            format!("-n {us} addr add 198.18.{back}.2/24 dev test"),
            format!("-n {eu} addr add 198.18.{between}.1/24 dev us"),
            format!("-n {us} addr add 198.18.{between}.2/24 dev eu"),
            format!("link set {to_eu} up"),
            format!("link set {to_us} up"),
            format!("-n {eu} link set lo up"),
            format!("-n {us} link set lo up"),
            format!("-n {eu} link set test up"),
            format!("-n {us} link set test up"),
            format!("-n {eu} link set us up"),
            format!("-n {us} link set eu up"),
            // The way between the broker and `us` leads through `eu`.
            format!("-n {us} route add 198.18.{net}.0/24 via 198.18.{between}.1"),
            format!("route add 198.18.{between}.0/24 via 198.18.{net}.2"),
            format!("netns exec {eu} sh -c"),
        ];
        for line in &lines {
            let forward = line.ends_with("-c").then_some("echo 1 >/proc/sys/net/ipv4/ip_forward");
            ip(line.split(' ').chain(forward))?;
        }
        Ok(())
    }

    /// The address of the broker's side: in `eu`, and seen from `us` as long as the link is there.
    pub fn broker(&self) -> Ipv4Addr {
        Ipv4Addr::new(198, 18, self.net, 1)
    }

    /// The address of `eu` for everybody.
    pub fn eu(&self) -> Ipv4Addr {
        Ipv4Addr::new(198, 18, self.net, 2)
    }

    /// The address of `us` for `eu`.
    pub fn us(&self) -> Ipv4Addr {
        Ipv4Addr::new(198, 18, self.net + 2, 2)
    }

    /// The address of `us` for the test, whatever becomes of the link.
    pub fn us_here(&self) -> Ipv4Addr {
        Ipv4Addr::new(198, 18, self.net + 1, 2)
    }

    /// What runs the binary under test in `eu`, or in `us`.
    pub fn command(&self, in_eu: bool) -> Command {
        let mut command = Command::new("ip");
        let region = if in_eu { &self.eu } else { &self.us };
        command.args(["netns", "exec", region, PUMICE]);
        command
    }

    /// Takes the link away. What is under way is lost, and nobody is told.
    pub fn cut(&self) {
        ip(["-n", &self.eu, "link", "set", "us", "down"]).unwrap();
    }

    /// Brings it back.
    pub fn heal(&self) {
        ip(["-n", &self.eu, "link", "set", "us", "up"]).unwrap();
    }
}

impl Drop for Regions {
    fn drop(&mut self) {
        for region in [&self.eu, &self.us] {
            // What was not made need not go. The links go with their ends.
            let _ = ip(["netns", "del", region]);
        }
    }
}

fn ip<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Result<(), String> {
    let mut command = Command::new("ip");
    command.args(arguments);
    let output = command.output().map_err(|fault| format!("ip: {fault}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    output.status.success().then_some(()).ok_or_else(|| format!("{command:?}: {}", said.trim()))
}
