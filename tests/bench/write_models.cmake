# cmake -DPYTHON=... -DMAKE_MODEL=make_model.py -DOUT=folder -P write_models.cmake: small models of every format and preset
# family, for make_model_test.
file(MAKE_DIRECTORY ${OUT})
function(make name)
  execute_process(COMMAND ${CMAKE_COMMAND} -E env PYTHONDONTWRITEBYTECODE=1 ${PYTHON} ${MAKE_MODEL} ${OUT}/${name} ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()
foreach(quant IN ITEMS f16 bf16 q4_0 q4_1 q5_0 q5_1 q8_0 q2_k q3_k q4_k q5_k q6_k iq4_nl iq4_xs mxfp4 q4_k_m)
  make(tiny-${quant}.gguf --preset tiny --layers 2 --quant ${quant})
endforeach()
make(tiny-joint.gguf --preset tiny --layers 2 --mla joint)
make(qwen3.gguf --preset qwen3-30b-a3b --layers 1 --experts 16 --vocab 1024)
# Hugging Face folders
foreach(quant IN ITEMS fp8 bf16 f16 f32)
  make(tiny-${quant} --preset tiny --layers 2 --quant ${quant})
endforeach()
make(qwen3-fp8 --preset qwen3-30b-a3b --layers 1 --experts 16 --vocab 1024 --quant fp8)
