"""What can be wrong with an upload."""

from __future__ import annotations

from supplyline.errors import Terminal


class NoFile(Terminal):
    code = "no_file"
    next_step = "Send the file as the multipart field `file`."


class EmptyFile(Terminal):
    code = "empty_file"
    next_step = "Check the export: the file that arrived has no bytes. Upload it again."


class UploadIncomplete(Terminal):
    code = "upload_incomplete"
    next_step = "The connection broke before the last byte: upload the file again."


class FileTooLarge(Terminal):
    code = "file_too_large"
    next_step = "Compress the file (.gz, .zip), split it, or raise SUPPLYLINE_MAX_UPLOAD_BYTES."


class FileIdTaken(Terminal):
    code = "file_id_taken"
    next_step = "Leave `file_id` out, or give an id that was not used before."


class NotReadAnew(Terminal):
    code = "not_read_anew"
    next_step = "Read the file anew that they correct, or send its corrections again."


class NothingToReplay(Terminal):
    code = "nothing_to_replay"
    next_step = "GET /api/files/<file_id>/quarantine/ shows the rows that are still set aside."
