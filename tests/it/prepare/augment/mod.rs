//! Distortions against Pillow and Augmentor, their properties, and the contact sheet.

mod contact_sheet;
mod golden;
mod properties;
