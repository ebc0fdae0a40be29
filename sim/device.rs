//! What the device under the file system does: sectors, torn writes, and whose bytes they may hurt.

use std::fmt;
use std::str::FromStr;

/// What a power cut may leave of the sector that was being written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tear {
    /// The old bytes or the new ones.
    #[default]
    None,
    /// The new bytes up to some grain, the old ones behind it.
    Prefix,
    /// New and old grains in any mixture.
    Subset,
    /// The same, and one grain at the edge may be garbage.
    SubsetGarbage,
}

impl Tear {
    /// All kinds, with their names.
    pub const ALL: [(Tear, &'static str); 4] = [
        (Tear::None, "none"),
        (Tear::Prefix, "prefix"),
        (Tear::Subset, "subset"),
        (Tear::SubsetGarbage, "subset-garbage"),
    ];
}

/// The device. Its text form lists what differs from the default, separated by commas.
///
/// ```
/// use highwater_sim::{Device, Tear};
/// let device: Device = "sector=4096,tear=prefix".parse()?;
/// assert_eq!(device, Device { sector: 4096, tear: Tear::Prefix, ..Device::default() });
/// assert_eq!(device.to_string(), "sector=4096,tear=prefix");
/// assert_eq!(Device::default().to_string(), "plain");
/// assert!("sector=777".parse::<Device>().is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Device {
    /// Bytes of a sector: 512 or 4096.
    pub sector: usize,
    /// Bytes that are written whole or not at all: the grain of a torn sector, a power of two from
    /// 8 to the sector.
    pub atomic: usize,
    /// What a torn sector holds. One sector of a crash is torn at most.
    pub tear: Tear,
    /// Whether a write spares the bytes of its sector that it does not touch; if not, a cut may
    /// leave the sector garbage.
    pub powersafe: bool,
    /// Whether a rename is atomic across its two names.
    pub atomic_rename: bool,
}

impl Device {
    /// Sectors of 512 bytes that are old or new, renames that are atomic.
    pub const PLAIN: Device =
        Device { sector: 512, atomic: 8, tear: Tear::None, powersafe: true, atomic_rename: true };

    /// Whether a sector may be something else than old or new.
    pub(crate) fn tears(&self) -> bool {
        self.tear != Tear::None && self.atomic < self.sector || !self.powersafe
    }

    /// Whether bytes that a write did not touch may become garbage.
    pub(crate) fn spoils(&self) -> bool {
        !self.powersafe || self.tear == Tear::SubsetGarbage && self.atomic < self.sector
    }
}

impl Default for Device {
    fn default() -> Device {
        Device::PLAIN
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        let plain = Device::PLAIN;
        if self.sector != plain.sector {
            parts.push(format!("sector={}", self.sector));
        }
        if self.atomic != plain.atomic {
            parts.push(format!("atomic={}", self.atomic));
        }
        let tear = Tear::ALL.iter().find(|(tear, _)| *tear == self.tear && *tear != Tear::None);
        parts.extend(tear.map(|(_, name)| format!("tear={name}")));
        if !self.powersafe {
            parts.push("powersafe=no".into());
        }
        if !self.atomic_rename {
            parts.push("rename=two".into());
        }
        f.write_str(&if parts.is_empty() { "plain".into() } else { parts.join(",") })
    }
}

impl FromStr for Device {
    type Err = String;

    fn from_str(text: &str) -> Result<Device, String> {
        let mut device = Device::PLAIN;
        for part in text.split(',').filter(|_| text != "plain") {
            let wrong = || {
                format!(
                    "no device {part:?}: sector=512|4096, atomic=8..sector, \
                     tear=none|prefix|subset|subset-garbage, powersafe=yes|no, rename=one|two"
                )
            };
            let (key, value) = part.split_once('=').ok_or_else(wrong)?;
            match (key, value) {
                ("sector", "512") => device.sector = 512,
                ("sector", "4096") => device.sector = 4096,
                ("atomic", bytes) => device.atomic = bytes.parse().map_err(|_| wrong())?,
                ("tear", name) => {
                    let found = Tear::ALL.iter().find(|(_, n)| *n == name);
                    device.tear = found.ok_or_else(wrong)?.0;
                }
                ("powersafe", "yes" | "no") => device.powersafe = value == "yes",
                ("rename", "one" | "two") => device.atomic_rename = value == "one",
                _ => return Err(wrong()),
            }
        }
        let fits = device.atomic.is_power_of_two() && (8..=device.sector).contains(&device.atomic);
        if fits { Ok(device) } else { Err(format!("atomic={}: 8 to the sector", device.atomic)) }
    }
}
