//! Training length, batch and learning rate that a command line sets in place of the profile's.

use super::profile::{Profile, Training};
use super::schedule::Schedule;
use super::validate::validate;
use crate::dataset::DatasetName;
use crate::error::{Error, Result};

/// Values for one data set; `None` keeps the profile's.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Overrides {
    /// Optimizer steps.
    pub steps: Option<usize>,
    /// Passes over the training images, in place of steps.
    pub epochs: Option<usize>,
    /// Batch size.
    pub batch: Option<usize>,
    /// Largest learning rate of the schedule.
    pub rate: Option<f64>,
}

impl Overrides {
    /// The values with a name each, for the profile's name.
    fn words(&self) -> impl Iterator<Item = String> {
        let counts = [("steps", self.steps), ("epochs", self.epochs), ("batch", self.batch)];
        let counts = counts.into_iter().filter_map(|(name, value)| Some(format!("{name}{}", value?)));
        counts.chain(self.rate.map(|rate| format!("rate{rate}")))
    }
}

impl Profile {
    /// The profile with other values for `dataset`. Its name has them, too, such as `quick-steps200-batch32`: so runs,
    /// reports and records of different values stay apart.
    ///
    /// # Errors
    /// A profile without the section of `dataset`, or an invalid value.
    pub fn with(mut self, overrides: &Overrides, dataset: DatasetName) -> Result<Self> {
        if *overrides == Overrides::default() {
            return Ok(self);
        }
        let mut training = self.training(dataset)?.clone();
        if let Some(steps) = overrides.steps {
            training = Training { epochs: None, ..training.of_length(steps) };
        }
        training.epochs = overrides.epochs.or(training.epochs);
        training.batch = overrides.batch.unwrap_or(training.batch);
        match (&mut training.schedule, overrides.rate) {
            (
                Schedule::Polynomial { initial: largest, .. } | Schedule::Cyclical { maximum: largest, .. },
                Some(rate),
            ) => {
                *largest = rate;
            }
            (_, None) => {}
        }
        self.training.insert(dataset.label().to_owned(), training);
        let invalid = |message| Error::Request(format!("--steps, --epochs, --batch or --rate is invalid: {message}"));
        validate(&self).map_err(invalid)?;
        self.name = std::iter::once(self.name.clone()).chain(overrides.words()).collect::<Vec<_>>().join("-");
        Ok(self)
    }

    /// The profile with the steps for `dataset` that its epochs over `images` training images take.
    ///
    /// # Errors
    /// A profile without the section of `dataset`.
    pub fn with_steps_for(&self, dataset: DatasetName, images: usize) -> Result<Self> {
        let mut profile = self.clone();
        let training = self.training(dataset)?;
        if let Some(epochs) = training.epochs {
            let steps = (epochs * images).div_ceil(training.batch).max(1);
            profile.training.insert(dataset.label().to_owned(), training.of_length(steps));
        }
        Ok(profile)
    }
}

impl Training {
    /// The same over another number of steps, with cycles of the same share of them.
    fn of_length(&self, steps: usize) -> Self {
        let mut schedule = self.schedule;
        if let Schedule::Cyclical { half_cycle, .. } = &mut schedule
            && self.steps > 0
        {
            *half_cycle = ((*half_cycle as f64 * steps as f64 / self.steps as f64).round() as usize).max(1);
        }
        Self { steps, schedule, ..self.clone() }
    }

    /// The length in words: `4,000 steps` or, before the number of images is known, `20 epochs`.
    pub fn length(&self) -> String {
        match self.epochs {
            Some(epochs) => format!("{epochs} epochs"),
            None => format!("{} steps", self.steps),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LFWA: DatasetName = DatasetName::Lfwa;

    #[test]
    fn other_values_are_in_the_name_and_in_the_section_of_the_data_set_only() {
        let paper = Profile::load("paper").unwrap();
        let overrides = Overrides { steps: Some(200), epochs: None, batch: Some(32), rate: Some(0.001) };
        let found = paper.clone().with(&overrides, LFWA).unwrap();
        assert_eq!(found.name, "paper-steps200-batch32-rate0.001");
        let training = found.training(LFWA).unwrap();
        assert_eq!((training.steps, training.batch), (200, 32));
        // The triangle of the paper stays whole.
        assert_eq!(training.schedule, Schedule::Cyclical { minimum: 0.0, maximum: 0.001, half_cycle: 100 });
        assert_eq!(found.training["celeba"], paper.training["celeba"]);
        assert_eq!(paper.clone().with(&Overrides::default(), LFWA).unwrap(), paper);
        let sentences = found.deviations(LFWA, 6263, None).unwrap();
        for sentence in ["Batch size: 32 (paper: 256).", "Steps: 200 (paper: 10000)."] {
            assert!(sentences.iter().any(|found| found == sentence), "{sentences:?}");
        }
    }

    #[test]
    fn epochs_are_passes_over_the_training_images_rounded_up() {
        let paper = Profile::load("paper").unwrap();
        let overrides = Overrides { epochs: Some(3), ..Overrides::default() };
        let found = paper.with(&overrides, LFWA).unwrap();
        assert_eq!(
            (found.name.as_str(), found.training(LFWA).unwrap().length()),
            ("paper-epochs3", "3 epochs".to_owned())
        );
        let resolved = found.with_steps_for(LFWA, 1000).unwrap();
        let training = resolved.training(LFWA).unwrap();
        // 3,000 images in batches of 256.
        assert_eq!((training.steps, training.epochs), (12, Some(3)));
        assert!(matches!(training.schedule, Schedule::Cyclical { half_cycle: 6, .. }));
        assert_eq!(resolved.with_steps_for(LFWA, 1000).unwrap(), resolved);
    }

    #[test]
    fn a_profile_gives_steps_or_epochs() {
        let with = |text: &str| {
            let text = Profile::text("quick").unwrap().replace("steps = 3000", text);
            let profile: Profile = toml::from_str(&text).unwrap();
            validate(&profile).map(|()| profile.training["lfwa"].clone())
        };
        let training = with("epochs = 20").unwrap();
        assert_eq!((training.steps, training.epochs), (0, Some(20)));
        assert!(with("").unwrap_err().contains("neither steps nor epochs"));
        assert!(with("epochs = 0").unwrap_err().contains("epochs is 0"));
        let written = toml::to_string(&Profile::load("quick").unwrap()).unwrap();
        assert!(!written.contains("epochs"));
    }

    #[test]
    fn a_data_set_can_have_its_own_preprocessing() {
        let own = |resize: usize| {
            let images = format!("steps = 10000\nimages = {{ resize = {resize}, crop = \"centre\", flip = false }}");
            let text = Profile::text("paper").unwrap().replace("steps = 10000", &images);
            let profile: Profile = toml::from_str(&text).unwrap();
            validate(&profile).map(|()| profile)
        };
        let profile = own(300).unwrap();
        let lfwa = profile.clone().for_dataset(LFWA);
        assert_eq!((lfwa.images.resize, lfwa.images.flip), (300, false));
        assert_eq!(lfwa.clone().for_dataset(LFWA), lfwa);
        let sentences = lfwa.deviations(LFWA, 6263, None).unwrap();
        assert!(
            sentences.contains(&"Size that images are resized to: 300 pixels (paper: 256 pixels).".to_owned()),
            "{sentences:?}"
        );
        assert_eq!(profile.clone().for_dataset(DatasetName::Celeba).images, profile.images);
        let message = own(200).unwrap_err();
        assert_eq!(message, "training.lfwa.images.resize is 200, smaller than network.input_size 227");
    }

    #[test]
    fn values_that_make_no_sense_are_refused() {
        let quick = || Profile::load("quick").unwrap();
        for overrides in [
            Overrides { steps: Some(0), ..Overrides::default() },
            Overrides { batch: Some(1), ..Overrides::default() },
            Overrides { batch: Some(usize::MAX), ..Overrides::default() },
            Overrides { rate: Some(f64::NAN), ..Overrides::default() },
            Overrides { rate: Some(-0.1), ..Overrides::default() },
        ] {
            let error = quick().with(&overrides, LFWA).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().starts_with("--steps, --epochs, --batch or --rate is invalid: training.lfwa: "));
        }
    }
}
