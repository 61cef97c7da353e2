//! The recovery code of a server, as a person writes it down.

use crate::{Container, Failure, Result, Server};

/// Reads the code, and types back what is asked for. Says what the command
/// said; nothing of it gets onto the disk.
const WRITE_THE_CODE_DOWN: &str = r#"
rm -f /run/answers /run/code; mkfifo /run/answers /run/code
cat /run/code >/run/said &
stayput code --kept 'KEPT' </run/answers >/run/code 2>&1 &
code=$!
exec 4>/run/answers
until grep -q 'press Enter' /run/said; do sleep 0.2; done
echo >&4
for turn in 1 2; do
    until [ "$(grep -o 'Type group [1-9]' /run/said | wc -l)" = $turn ]; do sleep 0.2; done
    group=$(grep -o 'Type group [1-9]' /run/said | tail -n 1 | grep -o '[1-9]$')
    grep -o "$group: [b-v]\{8\}" /run/said | head -n 1 | cut -d' ' -f2 >&4
done
exec 4>&-
wait $code
status=$?
wait
cat /run/said
sync
exit $status
"#;

/// The letter for each four bits: docs/format.md.
const MODHEX: &str = "cbdefghijklnrtuv";

/// Nine groups of eight letters.
pub struct RecoveryCode(Vec<String>);

impl RecoveryCode {
    /// Lets the server, which has to be at home, show its code; `kept` is where
    /// the paper goes.
    pub fn written_down(server: &mut Server, kept: &str) -> Result<Self> {
        let script = WRITE_THE_CODE_DOWN.replace("KEPT", kept);
        Self::read_off(&server.shell(&script)?.success()?)
    }

    /// The same of a server in a container.
    pub fn written_down_in(server: &Container, kept: &str) -> Result<Self> {
        let script = WRITE_THE_CODE_DOWN.replace("KEPT", kept);
        Self::read_off(&server.shell(&script)?.success()?)
    }

    fn read_off(said: &str) -> Result<Self> {
        let group = |number: usize| {
            let (_, rest) = said.split_once(&format!("{number}: "))?;
            Some(rest.chars().take(8).collect::<String>())
        };
        let groups: Vec<String> = (1..=9).filter_map(group).collect();
        if groups.len() == 9 && said.contains("written down rightly") {
            Ok(Self(groups))
        } else {
            Err(Failure::new(format!("no code was shown: {said}")))
        }
    }

    pub fn groups(&self) -> &[String] {
        &self.0
    }

    /// Its way key: the first 64 letters.
    pub fn way_key(&self) -> Vec<u8> {
        let letters = self.0.iter().flat_map(|group| group.chars());
        let digits: Vec<u8> = letters
            .filter_map(|letter| MODHEX.find(letter))
            .map(|digit| digit as u8)
            .collect();
        let bytes = digits.chunks_exact(2).take(32);
        bytes.map(|pair| pair[0] << 4 | pair[1]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_read_off_the_first_eight_groups() {
        let mut groups = vec!["cbdefghi".to_string(), "jklnrtuv".to_string()];
        groups.extend((0..7).map(|_| "cccccccb".to_string()));
        let key = RecoveryCode(groups).way_key();
        assert_eq!(key.len(), 32);
        assert_eq!(key[..8], [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]);
        assert_eq!(key[31], 1);
    }
}
