import CFluidSynth
import MemArchive

/// What FluidSynth made of a MIDI file and a SoundFont. It opens both by path, and no audio device.
struct Rendering {
  private(set) var presets: [String] = []
  private(set) var frames = 0
  private(set) var peak = 0
  private(set) var rms = 0.0

  private static let rate = 44_100
  private static let longest = 60 * rate

  init(midi: MemFile, soundFont: MemFile) throws {
    guard let settings = new_fluid_settings() else { throw Failure("FluidSynth made no settings") }
    defer { delete_fluid_settings(settings) }
    fluid_settings_setnum(settings, "synth.sample-rate", Double(Self.rate))
    // The tune advances with the samples taken, not with the clock on the wall.
    fluid_settings_setstr(settings, "player.timing-source", "sample")

    guard let synth = new_fluid_synth(settings) else { throw Failure("FluidSynth made no synthesizer") }
    defer { delete_fluid_synth(synth) }
    let font = try soundFont.withPath { fluid_synth_sfload(synth, $0, 1) }
    guard font != FLUID_FAILED else { throw Failure("FluidSynth did not load the SoundFont") }
    presets = Self.presets(of: fluid_synth_get_sfont_by_id(synth, font))

    guard let player = new_fluid_player(synth) else { throw Failure("FluidSynth made no player") }
    defer { delete_fluid_player(player) }
    // The player opens the MIDI file when it plays, not when it is told of it: the path must last until then.
    try midi.withPath { path in
      guard fluid_player_add(player, path) == FLUID_OK, fluid_player_play(player) == FLUID_OK else {
        throw Failure("FluidSynth did not take the MIDI file")
      }
      try play(player, on: synth)
    }
    guard peak > 500, rms > 50 else { throw Failure("FluidSynth rendered silence: \(self)") }
  }

  private mutating func play(_ player: OpaquePointer, on synth: OpaquePointer) throws {
    var block = [Int16](repeating: 0, count: 2 * 1024)
    var energy = 0.0
    while fluid_player_get_status(player) == Int32(FLUID_PLAYER_PLAYING.rawValue) {
      guard frames < Self.longest else { throw Failure("the tune does not end") }
      let status = block.withUnsafeMutableBufferPointer { samples in
        let start = samples.baseAddress
        return fluid_synth_write_s16(synth, Int32(samples.count / 2), start, 0, 2, start, 1, 2)
      }
      guard status == FLUID_OK else { throw Failure("FluidSynth stopped rendering") }
      frames += block.count / 2
      for sample in block {
        peak = max(peak, Int(sample.magnitude))
        energy += Double(sample) * Double(sample)
      }
    }
    rms = frames > 0 ? (energy / Double(2 * frames)).squareRoot() : 0
  }

  private static func presets(of font: OpaquePointer?) -> [String] {
    guard let font else { return [] }
    var names: [String] = []
    fluid_sfont_iteration_start(font)
    while let preset = fluid_sfont_iteration_next(font) {
      if let name = fluid_preset_get_name(preset) { names.append(String(cString: name)) }
    }
    return names
  }
}

extension Rendering: CustomStringConvertible {
  var description: String {
    let tenths = frames * 10 / Self.rate
    return "presets \(presets.joined(separator: ", ")); rendered \(tenths / 10).\(tenths % 10) s, "
      + "peak \(peak), rms \(Int(rms)) of 32767"
  }
}
