import CTrying
import MemArchive

// A worker that is locked in as every other one, and then tries what the name says by which it was started.
ctrying_prepare()
MemArchiveWorker.runIfRequested()
