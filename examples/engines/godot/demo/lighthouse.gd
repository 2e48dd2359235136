extends Control
# A keeper who talks while the game runs: each frame, the node thinks for budget_us and says what came of it.

@onready var keeper: FathomChat = $Keeper
@onready var answer: RichTextLabel = $Answer

func _ready() -> void:
	# godot --path . -- model.gguf speaks with another model than the scene's
	if not OS.get_cmdline_user_args().is_empty():
		keeper.model_path = OS.get_cmdline_user_args()[0]
	keeper.loading.connect(func(share: float): answer.text = "The keeper wakes up: %d %%" % (share * 100))
	keeper.loaded.connect(func(): answer.text = "")
	keeper.text.connect(func(piece: String): answer.text += piece)
	keeper.finished.connect(func(_reason: String): answer.text += "\n")
	keeper.failed.connect(func(message: String): answer.text = message)
	$Question.text_submitted.connect(_on_question)
	keeper.load_model() # now, on a thread of its own, rather than at the first question

func _on_question(question: String) -> void:
	$Question.clear()
	answer.text += "\n> %s\n" % question
	keeper.ask(question)
