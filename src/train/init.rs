//! Initial weights from another run: its backbone, or all that has a counterpart.

use super::learner::Learner;
use super::shared_run::SharedRun;
use super::trained_model::TrainedModel;
use crate::config::run_dir::{self, CONFIG, LOCK, SUMMARY};
use crate::config::{self, Init, InitNet, InitParts, Record, RunConfig};
use crate::error::{Error, Result};
use crate::io::{self, Lock};
use crate::model::Architecture;
use crate::progress::Progress;
use crate::variant::{Fln, Layers, Variant};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Keys of `[network]` that have no part in the weights.
const NOT_OF_WEIGHTS: [&str; 2] = ["bn_decay", "node_gain"];
/// Keys of `[network]` that have no part in the backbone.
const NOT_OF_BACKBONE: [&str; 2] = ["branch_channels", "node_channels"];

/// A finished run whose weights other runs start from.
#[derive(Debug)]
pub struct InitialRun {
    folder: PathBuf,
    config: RunConfig,
    init: Init,
    /// The variants to train.
    variants: Vec<Variant>,
    /// The runs that correlation nets are taken from, by variant.
    correlation_nets: BTreeMap<&'static str, (PathBuf, InitNet)>,
    /// Folders where such a run was looked for and is not finished, by title of the variant.
    missing: Vec<(&'static str, PathBuf)>,
}

impl InitialRun {
    /// Opens the run in `folder` for the training of `variants`.
    ///
    /// # Errors
    /// A run that is not finished, that another process trains, or whose files are missing.
    pub fn open(folder: &Path, parts: InitParts, variants: &[Variant]) -> Result<Self> {
        let digest = model_digest(folder)?;
        let config = RunConfig::read(&folder.join(CONFIG))?;
        let init = Init {
            run: Record::read(folder)?.summary.id,
            dataset: config.dataset.clone(),
            profile: config.profile_id(),
            digest,
            parts,
            correlation_net: None,
        };
        let mut opened = Self {
            folder: folder.to_path_buf(),
            config,
            init,
            variants: variants.to_vec(),
            correlation_nets: BTreeMap::new(),
            missing: Vec::new(),
        };
        for variant in variants.iter().filter(|variant| parts == InitParts::All && variant.net.is_some()) {
            opened.find_correlation_net(variant)?;
        }
        Ok(opened)
    }

    /// Finds the run of `variant` with the data set, profile and seed of this one.
    fn find_correlation_net(&mut self, variant: &Variant) -> Result<()> {
        let RunConfig { dataset, seed, .. } = &self.config;
        let runs = self.folder.parent().unwrap_or(Path::new(""));
        let folder = if self.config.variant == variant.name {
            self.folder.clone()
        } else {
            config::run_folder(runs, dataset, &self.init.profile, variant, *seed)
        };
        if folder.join(SUMMARY).exists() {
            let net = InitNet { run: Record::read(&folder)?.summary.id, digest: model_digest(&folder)? };
            self.correlation_nets.insert(variant.name, (folder, net));
        } else {
            self.missing.push((variant.title, folder));
        }
        Ok(())
    }

    /// Name of `profile` with this start, see [`Init::profile_id`].
    pub fn profile_id(&self, profile: &str) -> String {
        self.init.profile_id(profile)
    }

    /// Checks that the weights fit a network.
    ///
    /// # Errors
    /// Another backbone or size; the message names the first key that differs.
    pub fn check(&self, architecture: &Architecture) -> Result<()> {
        let folders = self.correlation_nets.values().map(|(folder, _)| folder);
        for folder in [&self.folder].into_iter().chain(folders) {
            let config = RunConfig::read(&folder.join(CONFIG))?;
            let theirs = config.profile.network.with_layers(layers(&config));
            for variant in &self.variants {
                let network = architecture.with_layers(variant.layers);
                let whose = if network == *architecture { "this profile" } else { variant.title };
                if let Some((key, theirs, ours)) = difference(&theirs, &network, self.init.parts)? {
                    return Err(Error::Request(format!(
                        "the run {} has network.{key} = {theirs}, {whose} {ours}: start from a run with an equal \
                         network",
                        folder.display()
                    )));
                }
            }
        }
        Ok(())
    }

    /// Checks that no run of `folders` is one of those whose weights are taken over.
    pub(super) fn check_apart(&self, folders: impl Iterator<Item = PathBuf>) -> Result<()> {
        let canonical = |folder: &Path| folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
        let nets = self.correlation_nets.values().map(|(folder, _)| canonical(folder));
        let sources: BTreeSet<PathBuf> = nets.chain([canonical(&self.folder)]).collect();
        for folder in folders {
            if sources.contains(&canonical(&folder)) {
                let folder = folder.display();
                return Err(Error::Request(format!(
                    "{folder} cannot start from its own weights: choose another --runs folder"
                )));
            }
        }
        Ok(())
    }

    /// The record for the configuration of a run of `variant`.
    pub(super) fn of(&self, variant: &Variant) -> Init {
        let net = self.correlation_nets.get(variant.name).map(|(_, net)| net.clone());
        Init { correlation_net: net, ..self.init.clone() }
    }

    /// Everything that is taken over, which all ranks must have in common.
    pub(super) fn description(&self) -> String {
        let nets = self.correlation_nets.iter();
        let nets = nets.map(|(variant, (_, net))| format!(", {variant} {} {}", net.run, net.digest));
        format!("{}{}", self.init, nets.collect::<String>())
    }

    /// Logs what is taken over.
    pub(super) fn announce(&self, progress: &Progress) {
        progress.log(format!("starting from {}", self.init));
        for (variant, (folder, _)) in &self.correlation_nets {
            progress.log(format!("  {variant}: with the correlation net in {}", folder.display()));
        }
        for (title, folder) in &self.missing {
            progress.log(format!("  {title}: with a new correlation net, as {} is no finished run", folder.display()));
        }
    }

    /// Loads the weights into the networks of a shared run. A frozen feature net keeps Baseline's; other layers than the
    /// run's take over its backbone only.
    pub(super) fn load(&self, learner: &mut Learner, run: &SharedRun) -> Result<()> {
        if run.fln == Fln::Trained {
            let tensors = TrainedModel::open(&self.folder)?.tensors;
            match self.init.parts {
                InitParts::All if run.layers() == layers(&self.config) => learner.load_feature_net(&tensors)?,
                _ => learner.load_backbone_of(&tensors)?,
            }
        }
        for (variant, (folder, _)) in &self.correlation_nets {
            learner.load_correlation_net(variant, &TrainedModel::open(folder)?.tensors)?;
        }
        Ok(())
    }
}

/// The layers of a run's network; those of a newer program's variant are the paper's as far as is known.
fn layers(config: &RunConfig) -> Layers {
    Variant::named(&config.variant).map_or(Layers::Branches, |variant| variant.layers)
}

/// BLAKE3 of the network in a run folder.
///
/// # Errors
/// No finished run, or one that another process trains.
fn model_digest(folder: &Path) -> Result<String> {
    let shown = folder.display();
    let lock = folder.join(LOCK);
    if lock.exists() {
        let free = Lock::take(&lock)?;
        free.map_err(|holder| Error::Request(format!("{shown} is being trained by process {holder}: wait for it")))?;
    }
    let model = run_dir::model(folder);
    for (file, name) in
        [(folder.join(CONFIG), CONFIG), (folder.join(SUMMARY), SUMMARY), (model.clone(), run_dir::MODEL)]
    {
        if !file.is_file() {
            return Err(Error::Request(format!(
                "{shown} is not a finished run, as it has no {name}: name a run folder of `gal-bench train`, or finish it \
                 first"
            )));
        }
    }
    io::digest(&model, io::NETWORK_BYTES)
}

/// The first key in which the networks' weights differ, with both values.
fn difference(
    theirs: &Architecture,
    ours: &Architecture,
    parts: InitParts,
) -> Result<Option<(String, String, String)>> {
    let table = |architecture: &Architecture| {
        toml::Table::try_from(architecture).map_err(|e| Error::Internal(format!("a network as TOML: {e}")))
    };
    let (theirs, ours) = (table(theirs)?, table(ours)?);
    let is_ignored =
        |key: &str| NOT_OF_WEIGHTS.contains(&key) || (parts == InitParts::Backbone && NOT_OF_BACKBONE.contains(&key));
    let keys: BTreeSet<&String> = theirs.keys().chain(ours.keys()).filter(|key| !is_ignored(key)).collect();
    // A key that is left out has its default.
    let value = |table: &toml::Table, key: &str| table.get(key).map_or("the default".to_owned(), ToString::to_string);
    let differs = |key: &&String| theirs.get(*key) != ours.get(*key);
    Ok(keys.into_iter().find(differs).map(|key| (key.clone(), value(&theirs, key), value(&ours, key))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_of_initial_weights_is_no_difference_between_networks_and_their_width_is_one() {
        let theirs = Architecture::PAPER;
        let gain = Architecture { node_gain: 0.1, ..theirs.clone() };
        assert_eq!(difference(&theirs, &gain, InitParts::All).unwrap(), None);
        let wider = Architecture { node_channels: 12, ..theirs.clone() };
        let (key, ..) = difference(&theirs, &wider, InitParts::All).unwrap().unwrap();
        assert_eq!(key, "node_channels");
        assert_eq!(difference(&theirs, &wider, InitParts::Backbone).unwrap(), None);
    }
}
