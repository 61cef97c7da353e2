use super::*;

fn server() -> (Header, MasterKey) {
    let key = MasterKey::generate();
    (Header::of_a_new_server(&key), key)
}

fn way_key() -> UnsealedWayKey {
    UnsealedWayKey {
        key: WayKey::random(),
        made_in: 1,
    }
}

#[test]
fn a_code_opens_until_another_one_is_made() {
    let (header, key) = server();
    let mut ways = Ways::default();
    let first = ways.make_code(&header, &key);
    let opened = ways.key_of_code(&header, &first).unwrap();
    assert_eq!(opened.expose(), key.expose());
    let shown = ways.code(&header, &key).unwrap();
    let letters = |code: &RecoveryCode| code.letters(&header.server_id.0).to_vec();
    assert_eq!(letters(&shown), letters(&first));
    let second = ways.make_code(&header, &key);
    let refused = ways.key_of_code(&header, &first).err();
    assert_eq!(refused, Some(CodeRefused::Replaced));
    assert!(ways.key_of_code(&header, &second).is_ok());
}

#[test]
fn the_sixteenth_code_after_it_is_not_taken_for_the_first() {
    let (header, key) = server();
    let mut ways = Ways::default();
    let first = ways.make_code(&header, &key);
    for _ in 0..16 {
        ways.make_code(&header, &key);
    }
    let refused = ways.key_of_code(&header, &first).err();
    assert_eq!(refused, Some(CodeRefused::Wrong));
}

#[test]
fn a_code_whose_part_in_the_vault_is_gone_is_not_called_wrong() {
    let (header, key) = server();
    let mut ways = Ways::default();
    let code = ways.make_code(&header, &key);
    ways.code = None;
    let refused = ways.key_of_code(&header, &code).unwrap_err();
    assert_eq!(refused, CodeRefused::Lost);
    assert!(refused.to_string().contains("backup stick"));
}

#[test]
fn a_stick_opens_by_its_own_way_key_alone() {
    let (header, key) = server();
    let (mut ways, own) = (Ways::default(), way_key());
    assert!(ways.note_stick(&header, &key, [1; 8], &own, 1));
    assert!(ways.note_stick(&header, &key, [2; 8], &way_key(), 1));
    let opened = ways.key_of_stick(&header, [1; 8], &own.key).unwrap();
    assert_eq!(opened.expose(), key.expose());
    assert!(ways.key_of_stick(&header, [2; 8], &own.key).is_none());
    ways.forget_stick([1; 8]);
    assert!(ways.key_of_stick(&header, [1; 8], &own.key).is_none());
    assert_eq!(ways.sticks.len(), 1);
}

#[test]
fn what_somebody_without_the_key_has_added_is_not_taken_over() {
    let (header, key) = server();
    let stranger = MasterKey::generate();
    let mut ways = Ways::default();
    assert!(ways.note_stick(&header, &key, [1; 8], &way_key(), 1));
    assert!(ways.note_stick(&header, &stranger, [2; 8], &way_key(), 1));
    ways.make_code(&header, &stranger);
    let proven = ways.proven_by(&header, &key);
    assert_eq!(proven.sticks.len(), 1);
    assert!(proven.stick([1; 8]).is_some() && proven.code.is_none());
}

#[test]
fn a_stick_that_is_given_a_new_way_key_opens_by_either() {
    let (header, key) = server();
    let (mut ways, has, next) = (Ways::default(), way_key(), way_key());
    assert!(ways.note(&header, &key, [1; 8], (&has, Some(&next)), 1));
    let opens =
        |ways: &Ways, by: &UnsealedWayKey| ways.key_of_stick(&header, [1; 8], &by.key).is_some();
    assert!(opens(&ways, &has) && opens(&ways, &next));
    assert_eq!(ways.way_keys_of_stick(&header, &key, [1; 8]).len(), 2);
    // One that nobody knows settles nothing.
    ways.settle_stick(&header, &key, [1; 8], &way_key().key, 1);
    assert!(opens(&ways, &has) && opens(&ways, &next));
    ways.settle_stick(&header, &key, [1; 8], &next.key, 1);
    assert!(opens(&ways, &next) && !opens(&ways, &has));
}

#[test]
fn the_list_of_ways_says_when_it_is_full() {
    let (header, key) = server();
    let mut ways = Ways::default();
    for id in 0..MAX_STICKS as u8 {
        assert!(ways.note_stick(&header, &key, [id; 8], &way_key(), 1));
    }
    assert!(!ways.note_stick(&header, &key, [99; 8], &way_key(), 1));
    assert!(ways.note_stick(&header, &key, [0; 8], &way_key(), 1));
}
