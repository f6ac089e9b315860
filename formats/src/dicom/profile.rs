//! What happens to each attribute of a file that is to be shared: the Basic Application Level Confidentiality Profile of
//! PS3.15 annex E.
//!
//! Table E.1-1 lists what to remove, and grows with every edition. Here what carries text, names, times or bytes is
//! removed unless it is listed as needed, so that what the table lists, and what it will list, is covered; numbers and
//! codes stay unless the table lists them. Stricter than the profile: all of the patient's, visit's and trial's groups go.

use super::dataset::Tag;

/// What happens to an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Keep,
    Remove,
    /// Attributes that must be there, but may be empty.
    Empty,
    /// Replaced by the pseudonym, outside of sequences only.
    Pseudonym,
    Uid,
    /// A date, or a date and time.
    Date,
    Time,
    /// The same for the elements inside.
    Items,
}

/// Attributes that their modules want, without a value.
const EMPTY: [Tag; 6] = [
    Tag(0x0008, 0x0050), // AccessionNumber
    Tag(0x0008, 0x0090), // ReferringPhysicianName
    Tag(0x0010, 0x0030), // PatientBirthDate
    Tag(0x0010, 0x0040), // PatientSex
    Tag(0x0020, 0x0010), // StudyID
    Tag(0x0040, 0xA075), // VerifyingObserverName
];

/// Short texts that describe the device or the data, not a person or a place.
const TEXTS: [Tag; 22] = [
    Tag(0x0008, 0x0070), // Manufacturer
    Tag(0x0008, 0x0100), // CodeValue
    Tag(0x0008, 0x0102), // CodingSchemeDesignator
    Tag(0x0008, 0x0103), // CodingSchemeVersion
    Tag(0x0008, 0x0104), // CodeMeaning
    Tag(0x0008, 0x1090), // ManufacturerModelName
    Tag(0x0018, 0x0024), // SequenceName
    Tag(0x0018, 0x0085), // ImagedNucleus
    Tag(0x0018, 0x1020), // SoftwareVersions
    Tag(0x0018, 0x1160), // FilterType
    Tag(0x0018, 0x1210), // ConvolutionKernel
    Tag(0x0018, 0x1250), // ReceiveCoilName
    Tag(0x0018, 0x1251), // TransmitCoilName
    Tag(0x0018, 0x9005), // PulseSequenceName
    Tag(0x0028, 0x1054), // RescaleType
    Tag(0x0028, 0x1055), // WindowCenterWidthExplanation
    Tag(0x0028, 0x3003), // LUTExplanation
    Tag(0x0028, 0x3004), // ModalityLUTType
    Tag(0x003A, 0x0020), // MultiplexGroupLabel
    Tag(0x003A, 0x0203), // ChannelLabel
    Tag(0x0040, 0x9210), // LUTLabel
    Tag(0x0062, 0x0005), // SegmentLabel
];

/// Codes, numbers and sequences that the table removes.
const REMOVED: [Tag; 17] = [
    Tag(0x0008, 0x0082), // InstitutionCodeSequence
    Tag(0x0008, 0x0096), // ReferringPhysicianIdentificationSequence
    Tag(0x0008, 0x1049), // PhysiciansOfRecordIdentificationSequence
    Tag(0x0008, 0x1052), // PerformingPhysicianIdentificationSequence
    Tag(0x0008, 0x1062), // PhysiciansReadingStudyIdentificationSequence
    Tag(0x0008, 0x1072), // OperatorIdentificationSequence
    Tag(0x0008, 0x1084), // AdmittingDiagnosesCodeSequence
    Tag(0x0008, 0x1110), // ReferencedStudySequence
    Tag(0x0008, 0x1111), // ReferencedPerformedProcedureStepSequence
    Tag(0x0008, 0x1120), // ReferencedPatientSequence
    Tag(0x0020, 0x3401), // ModifyingDeviceID
    Tag(0x0040, 0xA073), // VerifyingObserverSequence
    Tag(0x0040, 0xA078), // AuthorObserverSequence
    Tag(0x0040, 0xA07A), // ParticipantSequence
    Tag(0x0040, 0xA07C), // CustodialOrganizationSequence
    Tag(0x0040, 0xA730), // ContentSequence
    Tag(0x0088, 0x0200), // IconImageSequence
];

/// Bytes that are data.
fn is_data(tag: Tag) -> bool {
    matches!(
        tag,
        Tag(0x7FE0, _) | Tag(0x0028, 0x1201..=0x1204 | 0x1221..=0x1223 | 0x3006) | Tag(0x5400, 0x0110 | 0x0112 | 0x100A | 0x1010)
    )
}

/// The patient, the visit, the trial, requests and results, signatures, padding, curves and overlays, private groups.
fn is_removed_group(tag: Tag) -> bool {
    tag.0 % 2 == 1
        || matches!(tag.0, 0x0010 | 0x0012 | 0x0032 | 0x0038 | 0x0042 | 0x0400 | 0x4008 | 0x4FFE | 0xFFFA | 0xFFFC)
        || matches!(tag.0, 0x5000..=0x501F | 0x6000..=0x601F)
        // Scheduled and performed procedures; what follows are the contents of documents and annotations.
        || matches!(tag, Tag(0x0040, 0x0000..=0x08E9 | 0x1000..=0x8FFF))
}

/// The action for an element of a data set; `nested` inside of sequences.
pub(super) fn action(tag: Tag, vr: [u8; 2], nested: bool) -> Action {
    match tag {
        // Lengths of groups change, and are not used any more.
        Tag(_, 0) => return Action::Remove,
        Tag(0x0010, 0x0010 | 0x0020) if !nested => return Action::Pseudonym,
        _ if EMPTY.contains(&tag) && !nested => return Action::Empty,
        _ if REMOVED.contains(&tag) || is_removed_group(tag) => return Action::Remove,
        _ => {}
    }
    match &vr {
        b"SQ" => Action::Items,
        b"UI" => Action::Uid,
        b"DA" | b"DT" => Action::Date,
        b"TM" => Action::Time,
        b"LO" | b"SH" if TEXTS.contains(&tag) => Action::Keep,
        b"OB" | b"OW" | b"OF" | b"OD" | b"OL" | b"OV" if is_data(tag) => Action::Keep,
        b"AT" | b"CS" | b"DS" | b"FD" | b"FL" | b"IS" | b"SL" | b"SS" | b"SV" | b"UL" | b"US" | b"UV" => Action::Keep,
        // Texts, names, ages, titles of applications, addresses, and what nobody knows.
        _ => Action::Remove,
    }
}
