import CFluidSynth
import MemArchive

/// Plays the tunes of an archive with the archive's own SoundFont, into memory: `Player song.zip`.
@main
struct Player {
  static func main() throws {
    let files = try ArchiveReader(path: CommandLine.arguments[1]).extract(.glob("*.sf2", "*.mid"))
    let settings = new_fluid_settings()
    fluid_settings_setstr(settings, "player.timing-source", "sample")
    let synth = new_fluid_synth(settings)
    for (name, font) in files where name.hasSuffix(".sf2") {
      let number = try font.withPath { path in fluid_synth_sfload(synth, path, 1) }
      guard number != FLUID_FAILED else { fatalError("\(name) is no SoundFont") }
    }
    for (name, tune) in files where name.hasSuffix(".mid") {
      let player = new_fluid_player(synth)
      // The player opens the file when it plays: the path must last as long.
      let (seconds, peak) = try tune.withPath { path in
        fluid_player_add(player, path)
        fluid_player_play(player)
        return render(player, synth)
      }
      delete_fluid_player(player)
      print("\(name): \(seconds) s, \(peak > 500 ? "audible" : "silent")")
    }
    delete_fluid_synth(synth)
    delete_fluid_settings(settings)
  }

  private static func render(_ player: OpaquePointer?, _ synth: OpaquePointer?) -> (
    seconds: Int, peak: UInt16
  ) {
    var block = [Int16](repeating: 0, count: 2 * 1024)
    var (frames, peak) = (0, UInt16(0))
    while fluid_player_get_status(player) == Int32(FLUID_PLAYER_PLAYING.rawValue) {
      block.withUnsafeMutableBufferPointer { samples in
        let start = samples.baseAddress
        _ = fluid_synth_write_s16(synth, Int32(samples.count / 2), start, 0, 2, start, 1, 2)
      }
      frames += block.count / 2
      peak = block.reduce(peak) { max($0, $1.magnitude) }
    }
    return (frames / 44_100, peak)
  }
}
