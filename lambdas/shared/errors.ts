/**
 * Every way a step can fail, by name. The names are API: the workflow matches on them and people search for them.
 * Each message says what happened, with which value, and what to do.
 */
import { HOST_ERRORS } from './contracts.ts';

/** A class of its own for each name; the name is spelled out because bundling shortens class names. */
const errorNamed = <Name extends `${string}Error`>(name: Name) =>
  class extends Error {
    override readonly name: string = name;
  };

/** The state's input does not follow its schema. */
export const BadInputError = errorNamed('BadInputError');

// ------------------------------------------------------------------------------------------------- the instance and its tags
export const NotAnInstanceError = errorNamed('NotAnInstanceError');
export const InstanceNotRunningError = errorNamed('InstanceNotRunningError');
export const NotTaggedError = errorNamed('NotTaggedError');
export const UnknownPolicyError = errorNamed('UnknownPolicyError');
export const BadTagError = errorNamed('BadTagError');
export const UnsupportedPlatformError = errorNamed('UnsupportedPlatformError');
/** SSM has never heard of the instance. */
export const AgentMissingError = errorNamed('AgentMissingError');
export const AgentOfflineError = errorNamed('AgentOfflineError');
export const AgentTooOldError = errorNamed('AgentTooOldError');
export const DocumentMissingError = errorNamed('DocumentMissingError');
/** The user's own document, named by tag, is not one whose script can be carried as a hook. */
export const HookDocumentError = errorNamed('HookDocumentError');

// ---------------------------------------------------------------------------------------------- what can't be made a whole set
export const VolumesMismatchError = errorNamed('VolumesMismatchError');
export const MemberExcludedError = errorNamed('MemberExcludedError');
export const TooManyExcludedError = errorNamed('TooManyExcludedError');
export const NothingToSnapshotError = errorNamed('NothingToSnapshotError');
export const GradeOutOfReachError = errorNamed('GradeOutOfReachError');

// ----------------------------------------------------------------------------------------------------- commands on the host
/** A command got no answer: the host may have done what it was told, or not. */
export const HostSilentError = errorNamed('HostSilentError');
/** The agent killed the document because it ran too long. */
export const CommandTimeoutError = errorNamed('CommandTimeoutError');
export const CommandCancelledError = errorNamed('CommandCancelledError');
/** The document's answer is not one of this contract. */
export const UnexpectedAnswerError = errorNamed('UnexpectedAnswerError');
/** A run of a fleet came to its host so late that it could meet more others at CreateSnapshots than its bucket is for. */
export const TurnMissedError = errorNamed('TurnMissedError');
/** A run of a fleet came to its Freeze so late that it could meet another member of its group. */
export const TurnOverError = errorNamed('TurnOverError');
export const LeaseTooShortError = errorNamed('LeaseTooShortError');

/** What the host said of itself: an answer's `error`, or one of Inspect's `faults`. `LockTimeout` is `LockTimeoutError`. */
export class HostError extends Error {
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    // A host is outside the border: what is no name does not become one.
    this.name = /^[A-Z][A-Za-z]{1,60}$/.test(code) ? `${code}Error` : 'InternalError';
  }
}

/** Names that the host's own error codes take in the workflow. */
export const HOST_ERROR_NAMES = Object.keys(HOST_ERRORS).map((code) => `${code}Error`);

// ----------------------------------------------------------------------------------------------------------------------- EC2
export const NotPermittedError = errorNamed('NotPermittedError');
export const ThrottledError = errorNamed('ThrottledError');
export const SnapshotTooSoonError = errorNamed('SnapshotTooSoonError');
export const SnapshotLimitError = errorNamed('SnapshotLimitError');
export const TooManyTagsError = errorNamed('TooManyTagsError');
/** CreateSnapshots was sent, its answer never came, and no set can be found. */
export const SnapshotAnswerLostError = errorNamed('SnapshotAnswerLostError');
export const SnapshotFailedError = errorNamed('SnapshotFailedError');
/** A member that was there is not to be found any more. */
export const SnapshotGoneError = errorNamed('SnapshotGoneError');
export const SnapshotsStuckError = errorNamed('SnapshotsStuckError');
/** A set of this run turned up after it was graded: of a request that EC2 carried out minutes late. */
export const StraySnapshotsError = errorNamed('StraySnapshotsError');
/** The set is there and not locked as its policy wants. */
export const LockRefusedError = errorNamed('LockRefusedError');
export const ForeignSnapshotError = errorNamed('ForeignSnapshotError');

// --------------------------------------------------------------------------------------------------------------------- copy
/** The plan copies nothing there, or it is where the sets are taken. */
export const NoSuchDestinationError = errorNamed('NoSuchDestinationError');

// ------------------------------------------------------------------------------------------------------------------ restore
export const NoSuchSetError = errorNamed('NoSuchSetError');
/** A snapshot of the set is not completed, or is gone. */
export const SetIncompleteError = errorNamed('SetIncompleteError');
/** Retention, or somebody, deletes the set meanwhile: nothing is wrong with it. */
export const SetDeletedError = errorNamed('SetDeletedError');
export const BadEvidenceError = errorNamed('BadEvidenceError');
/** Not thrown: Restore and Drill end with it when the object of their set is not in the bucket. */
export const NO_EVIDENCE = 'NoEvidenceError';
export const NotInSetError = errorNamed('NotInSetError');
/** File systems that can't be on one host with their original. */
export const NotBesideOriginalError = errorNamed('NotBesideOriginalError');
export const TooManyFilesystemsError = errorNamed('TooManyFilesystemsError');
export const VolumeFailedError = errorNamed('VolumeFailedError');
export const VolumesSlowError = errorNamed('VolumesSlowError');
export const NoDeviceNameError = errorNamed('NoDeviceNameError');
export const AttachTimeoutError = errorNamed('AttachTimeoutError');
/** Volumes that can't give their place to restored ones while their instance runs, or are not those of the set. */
export const NotSwappableError = errorNamed('NotSwappableError');
/** The launch template can't be used for this restore. */
export const BadTemplateError = errorNamed('BadTemplateError');
/** A launched instance did not come so far that it could be asked. */
export const LaunchTimeoutError = errorNamed('LaunchTimeoutError');
/** EC2 would not launch an instance, or it ended before it was of use. */
export const LaunchFailedError = errorNamed('LaunchFailedError');
/** An instance that was launched for a restore that failed is still there. */
export const InstanceLeftError = errorNamed('InstanceLeftError');
export const DetachTimeoutError = errorNamed('DetachTimeoutError');
/** Volumes of a restore that failed could not be removed. */
export const VolumesLeftError = errorNamed('VolumesLeftError');

// -------------------------------------------------------------------------------------------------------------------- drill
/** Neither the plan nor the input says where to restore to. */
export const NoScratchError = errorNamed('NoScratchError');
/** The agent of a scratch instance did not show: its subnet has no way to Systems Manager. */
export const ScratchSilentError = errorNamed('ScratchSilentError');
/** Something that a drill has made is still there. */
export const TearDownError = errorNamed('TearDownError');
/** Not thrown: *Judge* hands these on, so that all is torn down before the drill ends red. */
export const NOT_RESTORED = 'NotRestoredError';
export const DAMAGED_SET = 'DamagedSetError';
export const NOT_VERIFIED = 'NotVerifiedError';

// ------------------------------------------------------------------------------------------------------------------- Windows
/** VSS takes every volume but the boot volume: it can't leave one out. */
export const ExcludeNotPossibleError = errorNamed('ExcludeNotPossibleError');
/** AWS's VSS components are not there and could not be installed. */
export const VssComponentsMissingError = errorNamed('VssComponentsMissingError');
/** A writer did not get its application quiet, or lost it. */
export const VssWriterFailedError = errorNamed('VssWriterFailedError');
/** Windows gave up on holding writes: they are held for ten seconds at most. */
export const VssTimeoutError = errorNamed('VssTimeoutError');
/** Another shadow copy is being made. */
export const VssBusyError = errorNamed('VssBusyError');
/** The instance's own role may not take its snapshots. */
export const VssNotPermittedError = errorNamed('VssNotPermittedError');
/** Any other end of AWS's document; its message has what it said. */
export const VssFailedError = errorNamed('VssFailedError');
/** VSS has taken some volumes only. */
export const VssSetPartialError = errorNamed('VssSetPartialError');

/** Not thrown: Grade hands it on, so that the set is kept or discarded before the run ends red. */
export const GRADE_MISSED = 'GradeMissedError';
