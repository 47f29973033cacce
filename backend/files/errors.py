"""What can be wrong with an upload."""

from __future__ import annotations

from supplyline.errors import Terminal, Transient


class NoFile(Terminal):
    code = "no_file"
    next_step = "Send the file as the multipart field `file`."


class EmptyFile(Terminal):
    code = "empty_file"
    next_step = "Check the export: the file that arrived has no bytes. Upload it again."


class LengthRequired(Terminal):
    code = "length_required"
    next_step = "Send the header Content-Length, or use the resumable uploads of /api/files/tus/."


class UploadIncomplete(Terminal):
    code = "upload_incomplete"
    next_step = "The connection broke before the last byte: upload the file again."


class FileTooLarge(Terminal):
    code = "file_too_large"
    next_step = "Compress the file (.gz, .zip), split it, or raise SUPPLYLINE_MAX_UPLOAD_BYTES."


class NotReadAnew(Terminal):
    code = "not_read_anew"
    next_step = "Read the file anew that they correct, or send its corrections again."


class NothingToReplay(Terminal):
    code = "nothing_to_replay"
    next_step = "GET /api/files/<file_id>/quarantine/ shows the rows that are still set aside."


class ResumableNotFound(Terminal):
    code = "upload_not_found"
    next_step = "Begin the upload again with POST /api/files/tus/."


class ResumableExpired(Terminal):
    code = "upload_expired"
    next_step = "Nothing came for a day: begin the upload again with POST /api/files/tus/."


class OffsetConflict(Terminal):
    code = "upload_offset_conflict"
    next_step = "Ask for the offset with HEAD and go on from there."


class UploadLocked(Transient):
    code = "upload_locked"
    next_step = (
        "Another request writes to this upload: wait until it ends, then ask for the offset."
    )


class ChecksumMismatch(Terminal):
    code = "checksum_mismatch"
    next_step = "The bytes changed on their way and were not kept: send them again."


class TusVersion(Terminal):
    code = "tus_version_unsupported"
    next_step = "Send the header Tus-Resumable: 1.0.0."
