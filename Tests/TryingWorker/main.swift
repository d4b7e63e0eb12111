import CTrying
import MemArchive

// A worker that is locked in like any other, and then tries the action given by the name it was started with.
ctrying_prepare()
if CommandLine.arguments[0].hasSuffix("contend") { prepareContention() }
MemArchiveWorker.runIfRequested()
