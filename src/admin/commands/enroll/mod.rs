//! `stayput enroll`: what this server looks like at home.

mod key_servers;
mod neighbours;
mod refresh;
mod strength;
mod survey;

use core::net::IpAddr;

use key_servers::{EnrolledServer, KeyServerOptions};
pub use key_servers::{is_server_url, literal_address, same_server, thumbprints};
pub use neighbours::neighbour;
use neighbours::{MAX_UNNAMED, Station};
use survey::Survey;
pub use survey::{Fitness, FoundStation, FoundStations, found_stations};

use crate::admin::ask;
use crate::admin::output;
use crate::admin::own_addresses;
use crate::admin::problem::{Exit, Problem, Result};
use crate::admin::unlock::{UnlockOptions, Unlocked, unlock_with_cards};
use crate::admin::watch_service;
use crate::environment::{
    Cards, ChosenFactor, EnrolmentError, FactorSelection, HOME, NeighbourSelection, Observed,
    SECOND, add_second_place, count_by_group, enrol, neighbour_label, opens_again,
    table_with_place, usual_thresholds,
};
use crate::printable::Printable;
use crate::theft::WayBack;
use crate::vault::{
    Count, EnvironmentSlot, EventKind, FactorCounts, Group, Label, PerGroup, SlotTable, Thresholds,
};

#[derive(clap::Args, Debug)]
pub struct EnrollOptions {
    /// A station that is always at this place, by its IPv4 address or its
    /// link-local IPv6 address (default: of those that answer the five that are
    /// steadiest, such as router, switch, name server and printer)
    #[arg(long, value_name = "IP", value_parser = neighbours::neighbour)]
    neighbour: Vec<IpAddr>,
    /// How many factors of the machine must be as they are now
    #[arg(long, value_name = "K")]
    machine_need: Option<u8>,
    /// How many neighbours must be as they are now
    #[arg(long, value_name = "K")]
    place_need: Option<u8>,
    /// Have the server at its address while it is locked too: it answers ping
    /// then, so that you can see from elsewhere that it waits
    #[arg(long, conflicts_with = "refresh")]
    address: bool,
    /// Remember this place beside the home, and in place of an earlier second one
    #[arg(long, conflicts_with = "refresh")]
    second: bool,
    /// Take over what has changed at the enrolled place since, and the address
    /// of this server if it was enrolled and is another one; neither the list of
    /// factors nor how many are needed changes
    #[arg(long, conflicts_with_all = ["neighbour", "machine_need", "place_need", "tang"])]
    refresh: bool,
    #[command(flatten)]
    key_servers: KeyServerOptions,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    unlock: UnlockOptions,
}

/// Runs `stayput enroll`.
///
/// # Errors
/// When the vault does not open or cannot be written, or when nothing here can be
/// enrolled.
pub fn run(options: &EnrollOptions) -> Result<()> {
    let mut unlocked = unlock_with_cards(&options.unlock, Cards::PutUp)?;
    if options.refresh {
        return refresh::run(unlocked, options.yes);
    }
    println!("Looking around ...");
    let Survey {
        mut observed,
        stations,
        left_out,
        choice,
        surplus,
    } = Survey::seen(&options.neighbour);
    tell(&choice, &stations);
    tell_not_taken(&surplus, &left_out);
    let mut chosen = choice.chosen;
    refuse_silent(options, &chosen)?;
    let name = if options.second { SECOND } else { HOME };
    let servers = options.key_servers.enrol(options.yes)?;
    for server in &servers {
        let server = server.chosen(options.key_servers.group(), name);
        println!("  {}: taken", server.label);
        observed.note(&server.label, &server.value);
        chosen.push(server);
    }
    let need = thresholds(options, &chosen)?;
    strength::explain(&chosen, need);
    if let Some(words) = strength::of_a_replacement(count_by_group(&chosen), need) {
        println!("{words}");
    }
    let mut own = match options.address {
        true => own_addresses::towards_neighbours(&chosen)?,
        false => own_addresses::OwnAddresses::new(),
    };
    let asked = servers.iter().map(|enrolled| enrolled.server.address.ip());
    own_addresses::add_towards_servers(&mut own, asked);
    own_addresses::add_senders(&mut own, &chosen);
    own_addresses::announce(&own);
    let surroundings = neighbours::surroundings();
    if surroundings.vlans {
        println!("{}", strength::VLANS);
    }
    if let Some(words) = strength::of_a_lone_server(surroundings, need) {
        println!("{words}");
    }
    let before = unlocked.slots()?;
    let rearms = before.is_none();
    let before = before.unwrap_or_default();
    tell_what_goes(&before, options.second);
    if options.key_servers.tang.is_empty() && has_servers(&before, name) {
        println!(
            "That place had key servers, and this one has none: it becomes weaker. To keep them, \
             name them again with --tang."
        );
    }
    ask::confirm("Enrol this place?", options.yes)?;

    let id = before.next_id;
    let mut slot = make_slot(&unlocked, id, name, &chosen, need)?;
    slot.servers = servers
        .into_iter()
        .map(|EnrolledServer { server, .. }| server)
        .collect();
    slot.addresses = own;
    prove_it_opens(&unlocked, &slot, &observed)?;
    let of = count_by_group(&chosen);
    let factors = FactorCounts::from_fn(|group| Count {
        count: need.of(group),
        of: of.of(group),
    });
    let table = with_place(before, slot, options.second)?;
    unlocked.replace_slots(&table)?;
    // After a reset the home is enrolled again, not a second place.
    if !options.second {
        unlocked.set_neighbours(&chosen)?;
    }
    if rearms {
        unlocked.note_stick_used()?;
        unlocked.log(EventKind::Rearmed)?;
    }
    let place = name.try_into().expect("a short name fits");
    unlocked.log(EventKind::Enrolled { place, factors })?;
    watch_service::UNIT.start_anew();
    forget_words_for_login();
    println!("This place is enrolled.");
    if rearms {
        println!("Passphrases that there were went with the old slots: stayput passphrase add");
        let resets = unlocked.proven.policy.theft.resets_by_itself();
        println!("{}", sticks_after_reset(resets, unlocked.way_back()));
    }
    println!("Next: stayput stick make DEVICE --label NAME");
    println!("What the prompt says elsewhere: stayput simulate --without place");
    Ok(())
}

/// What the list of sticks is worth after a reset, to an owner whose policy `resets` or not.
fn sticks_after_reset(resets: bool, way_back: WayBack) -> &'static str {
    match (resets, way_back) {
        (true, WayBack::None) => {
            "A reset may have wiped sticks: none counts before it was tried. Until then this \
             server does\nNOT destroy its key by itself, though its policy says so. Each stick: \
             stayput stick verify DEVICE"
        }
        _ => {
            "A reset may have wiped sticks: another one counts when it was tried. Each stick: \
             stayput stick\nverify DEVICE"
        }
    }
}

fn has_servers(before: &SlotTable, name: &str) -> bool {
    let mut places = before.environments.iter();
    places.any(|place| place.name == name && !place.servers.is_empty())
}

/// Asks before an enrolled place is replaced.
fn tell_what_goes(before: &SlotTable, second: bool) {
    let places = before.environments.iter().map(|place| place.name.as_str());
    let mut goes = places.filter(|name| *name == SECOND || (*name == HOME && !second));
    let Some(first) = goes.next() else { return };
    let more = goes
        .map(|name| format!(" and \"{name}\""))
        .collect::<String>();
    println!("The place \"{first}\"{more} that was enrolled before is replaced by this one.");
    if !second {
        println!("To keep the home: stayput enroll --second");
    }
}

fn with_place(
    mut before: Box<SlotTable>,
    slot: EnvironmentSlot,
    second: bool,
) -> Result<Box<SlotTable>> {
    if !second {
        return Ok(table_with_place(slot, before.passphrases).into());
    }
    add_second_place(&mut before, slot).map_err(|error| {
        Problem::refused(
            error.to_string(),
            "Nothing was changed. Ask for more with --machine-need and --place-need, or enrol \
             the home anew: stayput enroll",
        )
    })?;
    Ok(before)
}

/// Removes what the last boot left for whoever logs in: it is mended. A file that
/// cannot be removed is gone after the next boot.
fn forget_words_for_login() {
    let _ = crate::release::notice::put(crate::release::notice::Topic::Boot, "");
}

/// Prints what was observed, and which of it is enrolled.
fn tell(choice: &FactorSelection, stations: &[Station]) {
    println!("\nThe machine:");
    let machine = choice.chosen.iter();
    for factor in machine.filter(|factor| factor.group == Group::Machine) {
        println!("  {}: taken", factor.label);
    }
    for (label, attachment) in &choice.left_out {
        println!("  {label}: not taken, {attachment}");
    }
    println!("What stands around it:");
    for (label, value, selection) in &choice.neighbours {
        let shown = value.as_deref().map(neighbours::shown).unwrap_or_default();
        let mut stations = stations.iter();
        let station = stations.find(|station| neighbour_label(station.address) == *label);
        let what = match station.map(Station::description).unwrap_or_default() {
            nothing if nothing.is_empty() => nothing,
            what => format!(" ({})", Printable(&what)),
        };
        match selection {
            NeighbourSelection::Silent => println!("  {label}{what}: no answer, not taken"),
            NeighbourSelection::Taken => println!("  {label} ({shown}): taken{what}"),
            NeighbourSelection::Unsuitable(reason) => {
                println!("  {label} ({shown}): not taken, {reason}{what}")
            }
        }
    }
}

/// Prints which stations could have been enrolled and are not.
fn tell_not_taken(surplus: &[Label], left_out: &[Station]) {
    for label in surplus {
        println!("  {label}: not taken, {MAX_UNNAMED} that seem steadier are");
    }
    for station in left_out {
        let (label, what) = (neighbour_label(station.address), station.description());
        println!(
            "  {label}: not taken, it seems to be virtual ({}); name it if it is always there",
            Printable(&what)
        );
    }
}

/// Refuses when a neighbour that was named is not among the chosen ones.
fn refuse_silent(options: &EnrollOptions, chosen: &[ChosenFactor]) -> Result<()> {
    for ip in &options.neighbour {
        let label = neighbour_label(*ip);
        if !chosen.iter().any(|factor| factor.label == label) {
            return Err(Problem::refused(
                format!("{ip} cannot be enrolled (see above)."),
                "Nothing was changed. Switch it on, or leave it out.",
            ));
        }
    }
    Ok(())
}

fn thresholds(options: &EnrollOptions, chosen: &[ChosenFactor]) -> Result<Thresholds> {
    let PerGroup {
        machine,
        neighbours,
        servers,
    } = count_by_group(chosen);
    let usual = usual_thresholds(chosen);
    let need = Thresholds {
        machine: options.machine_need.unwrap_or(usual.machine),
        neighbours: options.place_need.unwrap_or(usual.neighbours),
        servers: options.key_servers.tang_need.unwrap_or(usual.servers),
    };
    if need.neighbours > neighbours && options.place_need.is_none() {
        return Err(Problem::refused(
            "No neighbour answered: a stolen server would open anywhere.",
            "Connect the server to its network, or name a neighbour with --neighbour IP. \
             If it has none, as when it is its own access point, and shall open anywhere, \
             without ever counting a strike: --place-need 0",
        ));
    }
    if need.machine > machine || need.neighbours > neighbours || need.servers > servers {
        return Err(Problem::new(
            Exit::Usage,
            format!(
                "There are {machine} machine factors, {neighbours} neighbours and {servers} key \
                 servers."
            ),
            "Ask for no more than that with --machine-need, --place-need and --tang-need.",
        ));
    }
    if servers > 0 && need.servers == 0 {
        return Err(Problem::new(
            Exit::Usage,
            "With --tang-need 0 the key servers would protect nothing.",
            "Ask for one at least, or leave them out.",
        ));
    }
    Ok(need)
}

fn make_slot(
    unlocked: &Unlocked,
    id: u32,
    name: &str,
    chosen: &[ChosenFactor],
    need: Thresholds,
) -> Result<EnvironmentSlot> {
    let name = name.try_into().expect("a place's name fits");
    let progress = |done: usize, of: usize| {
        output::print_over(&format!(
            "Computing the permitted combinations: {done} of {of}"
        ));
        if done == of {
            println!();
        }
    };
    enrol(
        unlocked.vault.header(),
        unlocked.master_key(),
        id,
        name,
        chosen,
        need,
        progress,
    )
    .map_err(|error| {
        let what = match error {
            EnrolmentError::TooManyFactors => "There are more than 32 factors.".to_owned(),
            EnrolmentError::TooManyCombinations { combinations } => {
                format!("That would permit {combinations} combinations; 256 are possible.")
            }
            EnrolmentError::TooManyNeighbours { combinations } => {
                format!(
                    "That would permit {combinations} combinations of neighbours; 128 are possible."
                )
            }
            EnrolmentError::Threshold => "Nothing at all would be needed to open it.".to_owned(),
        };
        Problem::new(
            Exit::Usage,
            what,
            "Name fewer neighbours with --neighbour, or ask for more with --machine-need and \
             --place-need.",
        )
    })
}

/// Tries the new slot before it replaces the present ones: it must open here.
fn prove_it_opens(unlocked: &Unlocked, slot: &EnvironmentSlot, observed: &Observed) -> Result<()> {
    if opens_again(unlocked.vault.header(), slot, observed) {
        return Ok(());
    }
    Err(Problem::failed(
        "The place that was just enrolled does not open the vault.",
        "Nothing was changed. Please report this.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn withheld_resets_are_told_after_a_reset() {
        let withheld = sticks_after_reset(true, WayBack::None);
        assert!(withheld.contains("NOT destroy its key"), "{withheld}");
        for (resets, way_back) in [(true, WayBack::Listed), (false, WayBack::None)] {
            let told = sticks_after_reset(resets, way_back);
            assert!(!told.contains("NOT"), "{told}");
        }
    }
}
