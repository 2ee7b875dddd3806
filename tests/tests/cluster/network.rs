//! Parties in a network namespace of their own, whose cable is pulled, in one direction or in both:
//! what a party sends vanishes, and no connection is closed. And a machine whose clock differs.
//!
//! This needs root, `ip` and `unshare`.

use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use super::faults::{self, counted};
use super::parts::MANY;
use super::world::{Process, World, within};

pub(crate) const CHECKS: &[super::Check] = &[
    ("the cable of a machine is pulled", || cable_of_a_machine(true, true)),
    ("the cable of a caller lets nothing out", || cable_of_a_caller(true, false)),
    ("clocks are ten minutes apart", clocks_apart),
];

/// Only with `TRINE_FAULTS=all`.
pub(crate) const MORE: &[super::Check] = &[
    ("the cable of a machine lets nothing out", || cable_of_a_machine(true, false)),
    ("the cable of a machine lets nothing in", || cable_of_a_machine(false, true)),
    ("the cable of a caller is pulled", || cable_of_a_caller(true, true)),
    ("the cable of a caller lets nothing in", || cable_of_a_caller(false, true)),
];

/// Why these cannot run here.
pub(crate) fn missing() -> Option<String> {
    // SAFETY: takes nothing.
    if unsafe { libc::geteuid() } != 0 {
        return Some("namespaces need root".to_owned());
    }
    let clock = Command::new("unshare").args(["-T", "--boottime", "1", "true"]).output();
    if !clock.is_ok_and(|output| output.status.success()) {
        return Some("`unshare -T` makes no time namespace".to_owned());
    }
    Network::new().err().map(|why| format!("no network namespace: {why}"))
}

pub(crate) fn is_one_of_these(name: &str) -> bool {
    CHECKS.iter().chain(MORE).any(|(own, _)| *own == name)
}

/// A network namespace, and a pair of cards between it and this one.
struct Network {
    name: String,
    card: String,
    /// The addresses of this end and of the other one.
    here: String,
    there: String,
}

/// The addresses of the two cards, and one that neither has.
const CARD_HERE: &str = "02:00:00:00:87:01";
const CARD_THERE: &str = "02:00:00:00:87:02";
const NO_CARD: &str = "02:00:00:00:87:99";

impl Network {
    fn new() -> Result<Self, String> {
        let number = std::process::id();
        // Other processes of these tests may run at the same time.
        let (high, low) = (64 + number / 256 % 64, number % 256);
        let network = Self {
            name: format!("trine-{number}"),
            card: format!("tr{number}"),
            here: format!("10.{high}.{low}.1"),
            there: format!("10.{high}.{low}.2"),
        };
        let Self { name, card, here, there } = &network;
        ip(&format!("netns add {name}"))?;
        ip(&format!(
            "link add {card} address {CARD_HERE} type veth peer name far address {CARD_THERE} \
             netns {name}"
        ))?;
        ip(&format!("address add {here}/30 dev {card}"))?;
        ip(&format!("link set {card} up"))?;
        ip(&format!("-n {name} address add {there}/30 dev far"))?;
        ip(&format!("-n {name} link set far up"))?;
        ip(&format!("-n {name} link set lo up"))?;
        network.pull(false, false)?;
        Ok(network)
    }

    /// The same program in this namespace.
    fn part(&self, world: &World, name: &str) -> Command {
        within(&["ip", "netns", "exec", &self.name], &world.part(name))
    }

    /// Lets nothing out, nothing in, or neither: it goes to a card that does not exist.
    fn pull(&self, out: bool, back: bool) -> Result<(), String> {
        let Self { name, card, here, there } = self;
        let to = |pulled, card| if pulled { NO_CARD } else { card };
        let (near, far) = (to(out, CARD_HERE), to(back, CARD_THERE));
        ip(&format!("-n {name} neighbor replace {here} lladdr {near} dev far nud permanent"))?;
        ip(&format!("neighbor replace {there} lladdr {far} dev {card} nud permanent"))
    }

    fn pull_for(&self, out: bool, back: bool, seconds: u64) {
        self.pull(out, back).unwrap();
        sleep(Duration::from_secs(seconds));
        self.pull(false, false).unwrap();
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _ = ip(&format!("link delete {}", self.card));
        let _ = ip(&format!("netns delete {}", self.name));
    }
}

fn ip(arguments: &str) -> Result<(), String> {
    let mut command = Command::new("ip");
    command.args(arguments.split_whitespace()).stdin(Stdio::null());
    let output = command.output().map_err(|error| format!("`ip`: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("ip {arguments}: {said}")) }
}

fn cable_of_a_machine(out: bool, back: bool) {
    for &seconds in faults::lengths() {
        let network = Network::new().unwrap();
        let world = World::at(&network.here);
        let mut command = network.part(&world, "machine");
        faults::be_hasty(&mut command);
        let _machines = [world.machine_of(command, 2), faults::machine(&world)];
        let caller = Process(world.part("counted").spawn().unwrap());
        let counts = counted(&world, caller, |_| network.pull_for(out, back, seconds));
        assert_eq!(counts[2], 0);
    }
}

fn cable_of_a_caller(out: bool, back: bool) {
    for &seconds in faults::lengths() {
        let network = Network::new().unwrap();
        let world = World::at(&network.here);
        let _machines = [faults::machine(&world), faults::machine(&world)];
        let mut command = network.part(&world, "counted");
        let caller = Process(faults::be_patient(&mut command).spawn().unwrap());
        let counts = counted(&world, caller, |_| network.pull_for(out, back, seconds));
        assert_eq!(counts[2], 0);
    }
}

/// One machine's clock is ten minutes ahead of the caller's, and the caller's ten minutes ahead of
/// the other machine's, which is pulled out for longer than a lease.
fn clocks_apart() {
    let network = Network::new().unwrap();
    let world = World::at(&network.here);
    let ahead = |minutes: u32, command: &Command| {
        let seconds = (minutes * 60).to_string();
        within(&["unshare", "-T", "--boottime", &seconds, "--monotonic", &seconds], command)
    };
    let mut first = ahead(20, &world.part("machine"));
    let mut second = network.part(&world, "machine");
    [&mut first, &mut second].into_iter().for_each(faults::be_hasty);
    let _machines = [world.machine_of(first, 2), world.machine_of(second, 2)];
    let caller = Process(ahead(10, &world.part("counted")).spawn().unwrap());
    let counts = counted(&world, caller, |_| network.pull_for(true, true, faults::lengths()[0]));
    assert_eq!(counts[2], 0);
    assert!(counts[0] > MANY as usize / 4);
}
