# godot --headless --path PROJECT --script frame_times.gd -- MODEL      what a speaking node costs frames, at 60 a second
extends SceneTree

# One before and one after the node in the tree: what lies between them is the node's.
class Clock extends Node:
	var at := 0
	func _process(_delta: float) -> void:
		at = Time.get_ticks_usec()

var before := Clock.new()
var chat := FathomChat.new()
var after := Clock.new()

func _initialize() -> void:
	Engine.max_fps = 60
	chat.model_path = OS.get_cmdline_user_args()[0]
	chat.seed = 1
	chat.failed.connect(func(message: String): print(message))
	for node: Node in [before, chat, after]:
		root.add_child(node)
	await process_frame
	var began := Time.get_ticks_usec()
	chat.load_model()
	print("load_model() took %d us" % (Time.get_ticks_usec() - began))
	await report("loading")
	for question in ["You keep a lighthouse. Who are you?", "What was the worst storm you have seen?"]:
		began = Time.get_ticks_usec()
		chat.ask(question)
		print("ask() took %d us" % (Time.get_ticks_usec() - began))
		await process_frame
		print("the frame that makes the session and the tokens took %d us" % (after.at - before.at))
		await report("answering")
	chat.free()
	quit()

func report(what: String) -> void:
	var took: Array[int] = []
	while chat.is_busy():
		await process_frame # which comes before the nodes, so these are the times of the frame before
		took.append(after.at - before.at)
	took.sort()
	if not took.is_empty():
		print("%s: %d frames, median %d us, 99 %% within %d us, longest %d us" % [what, took.size(), took[took.size() / 2],
			took[int(took.size() * 0.99)], took[-1]])
