"""The words that tales are made of: who, where, with what, how. Plain and few, because the student is tiny."""

from typing import NamedTuple


class Hero(NamedTuple):
    kind: str      # "rabbit"
    pronoun: str   # "he" or "she"
    home: str      # where such a one lives


NAMES = {
    "he": ("Tom Ben Max Sam Leo Finn Pip Oscar Jack Toby Milo Otto Hugo Bruno Nico Felix Benny Charlie Teddy Noah Luke Timmy "
           "Rufus Barney Eddie Freddy Gus Harry Jasper Oliver Peter Ralph Simon Theo Willy Rory Monty Digby Albert Ned").split(),
    "she": ("Lily Mia Anna Lucy Rosie Molly Daisy Emma Ella Nina Ruby Sally Tilly Zoe Poppy Bella Clara Dora Elsie Fay Greta "
            "Hazel Ivy Josie Kitty Lola Maya Nora Olive Penny Queenie Sophie Tess Wendy Amy Betty Cleo Flora Holly Matilda").split(),
}

HEROES = {
    "rabbit": "in a snug hole under a hill", "fox": "in a den between the roots of an oak", "bear": "in a warm cave in the woods",
    "mouse": "in a tiny house under the stairs", "duck": "in a nest by the pond", "frog": "on a green leaf in the pond",
    "cat": "in a cottage with a red door", "dog": "on a farm near the village", "hedgehog": "under a heap of leaves",
    "squirrel": "high up in a hollow tree", "owl": "in an old barn", "turtle": "by a slow river", "pig": "on a muddy farm",
    "lamb": "in a wide green field", "bird": "in a nest at the top of a tree", "boy": "in a small house by the sea",
    "girl": "in a little town with her family", "elephant": "near a big blue lake", "penguin": "on the white ice",
    "dragon": "in a castle on a hill", "monkey": "in the tall trees of the jungle", "robot": "in a workshop full of tools",
    "bee": "in a hive behind the garden", "beaver": "in a house of sticks in the river", "goat": "on a steep mountain",
    "kangaroo": "on a wide dry plain", "whale": "in the deep blue sea", "pony": "in a stable with a straw roof",
}
FARING = {"whale": "swam", "bird": "flew", "owl": "flew", "bee": "flew", "duck": "waddled", "rabbit": "hopped", "frog": "hopped",
          "kangaroo": "hopped", "snail": "crept", "turtle": "crept", "pony": "trotted", "robot": "rolled"}

TRAITS = ("kind", "curious", "shy", "cheerful", "brave", "gentle", "clever", "funny", "quiet", "playful", "busy", "dreamy", "hungry",
          "careful", "lively")
COLOURS = "red blue green yellow golden silver purple orange white pink brown striped".split()
TOYS = ("ball", "kite", "drum", "boat", "hat", "scarf", "button", "ring", "bell", "bucket", "doll", "lantern", "blanket", "whistle",
        "book", "key", "ribbon", "marble", "shell", "feather", "umbrella", "basket", "box", "mitten", "toy train", "cup", "spoon",
        "flute", "coat", "balloon")
PLACES = ("forest", "garden", "meadow", "park", "village", "orchard", "barn", "field", "valley", "hill", "beach", "river", "pond",
          "market", "bridge", "old mill")
INSIDE = ("under the bed", "behind the door", "under the table", "on the stairs", "behind the curtain", "under the blanket",
          "in the cupboard")
OUTSIDE = ("in the tall grass", "under a bush", "beside the well", "behind a big stone", "near the gate", "in the hay",
           "next to the old tree", "under the bench", "among the flowers", "behind the fence", "at the edge of the pond",
           "by the path", "on a mossy log")
FOODS = ("apple pie", "honey cake", "carrot soup", "bread", "berry jam", "nut cookie", "pancake", "cheese", "plum cake", "pumpkin pie",
         "bowl of cherries", "pear tart")
PLANTS = ("sunflower", "pumpkin", "apple tree", "strawberry", "rose", "carrot", "bean", "tulip", "melon", "pea")
TREATS = ("warm milk", "hot soup", "a slice of cake", "sweet berries", "fresh bread", "a cup of cocoa", "honey and nuts", "a big red apple")
SKILLS = ("swim", "whistle", "ride a bike", "skate", "climb a tree", "read", "swing", "dance", "sing", "jump over the stream",
          "bake bread", "paint", "juggle")
FEARS = {"the dark": "The dark was full of small sounds", "thunder": "The thunder rolled over the roofs",
         "deep water": "The water looked cold and deep", "the high bridge": "The bridge swayed in the wind",
         "the old cellar": "The cellar was black and still", "the big goose": "The goose hissed at everyone",
         "the first day of school": "The school had a very big door", "loud noises": "The noises made the windows shake"}
WEATHERS = ("sunny", "windy", "rainy", "snowy", "foggy", "bright", "cold", "warm")
SEASONS = ("spring", "summer", "autumn", "winter")
BUILDS = ("kite", "raft", "tree house", "snowman", "sandcastle", "toy boat", "bird house", "paper lantern", "swing", "tower of blocks",
          "little cart", "puppet")
BREAKABLES = ("vase", "cup", "plate", "window", "clock", "jar", "lamp", "teapot", "flower pot")
STUCK = ("in the mud", "in a deep hole", "in a thorny bush", "under a fallen branch", "in a net", "on a high branch", "between two rocks",
         "behind a locked gate")
TOOLS = ("rope", "long stick", "ladder", "shovel", "plank", "basket", "strong ribbon")
ELDERS = {"Mother": "she", "Father": "he", "Grandma": "she", "Grandpa": "he", "Aunt May": "she", "Uncle Joe": "he"}
GUIDES = {"owl": "he", "mole": "she", "deer": "she", "old crow": "he", "snail": "he", "firefly": "she", "goose": "she", "toad": "he",
          "postman": "he", "baker": "she", "gardener": "he", "shepherd": "she"}
LURES = ("a blue butterfly", "a funny beetle", "a floating feather", "the sound of music", "a trail of shiny stones", "a bright dragonfly",
         "a rolling apple", "a rainbow")
GAMES = ("hide and seek", "tag", "catch", "hopscotch", "riddles", "jump rope", "leapfrog", "marbles")
