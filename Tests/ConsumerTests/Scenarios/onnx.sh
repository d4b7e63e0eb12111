. "$(dirname "$0")/common.sh"
# A model whose weights are in a file beside it.
python() {
  "$MA" run "$(wheel onnxruntime)" --tree --merge --also "$(wheel onnx)" --also "$(wheel numpy)" --also "$(wheel protobuf)" \
    --also "$(wheel flatbuffers)" --also "$(wheel ml_dtypes)" --also "$(wheel typing_extensions)" "$@"
}
python -- env 'PYTHONPATH={.}' python3 -c '
import numpy, onnx
from onnx import TensorProto, helper, numpy_helper
weights = numpy_helper.from_array(numpy.arange(2048, dtype=numpy.float32), "w")
graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2048])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2048])], [weights])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
onnx.save_model(model, "model.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)'
tar -cf model.tar model.onnx weights.bin
rm model.onnx weights.bin
python --also model.tar -- env 'PYTHONPATH={.}' python3 -c '
import sys, numpy, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1])
print("onnxruntime:", session.run(None, {{"x": numpy.ones(2048, numpy.float32)})[0][41])' '{model.onnx}'
